/** Which partitions a set may speak for, when others have partitions on the same parent. Pure. */
import type {
  ActualLevel,
  ActualPartition,
  ActualSet,
  DesiredPartition,
  DesiredSet,
  KnownOids,
} from "../../topology/model";

type Level = Pick<ActualLevel, "children" | "detached">;
type Declared = Record<string, DesiredPartition>;

/**
 * What is there without what belongs to others: with `unmanaged: "ignore"` a partition that is neither declared nor known
 * is another stack's. It is not recorded, so that no later plan, and no `pulumi destroy`, takes it for a partition of ours.
 */
export function ownPart(
  { schema, partitions, unmanaged }: Pick<DesiredSet, "schema" | "partitions" | "unmanaged">,
  actual: ActualSet,
  known: KnownOids,
): ActualSet {
  if (unmanaged !== "ignore") return actual;
  const oids = new Set(Object.values(known));
  const keep = (level: Level, declared: Declared): Level => {
    const own = (list: ActualPartition[]) =>
      list
        .filter(({ oid, name, schema: place }) => oids.has(oid) || (place === schema && Object.hasOwn(declared, name)))
        .map((partition) => withLevel(partition, declared[partition.name]?.partitions ?? {}, keep));
    return { children: own(level.children), detached: own(level.detached) };
  };
  return { ...actual, ...keep(actual, partitions) };
}

function withLevel(
  partition: ActualPartition,
  declared: Declared,
  keep: (level: Level, declared: Declared) => Level,
): ActualPartition {
  const { level } = partition;
  return level === undefined ? partition : { ...partition, level: { ...level, ...keep(level, declared) } };
}
