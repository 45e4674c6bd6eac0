/** Which partitions a set may speak for, when others have partitions on the same parent. Pure. */
import { isDeclared } from "../../topology/level";
import type { ActualLevel, ActualPartition, ActualSet, DesiredSet, KnownOids } from "../../topology/model";

type Level = Pick<ActualLevel, "children" | "detached">;
type Declared = Pick<DesiredSet, "schema" | "partitionSchema" | "partitions">;

/**
 * What is there without what belongs to others: with `unmanaged: "ignore"` a partition that is neither declared nor known
 * is another stack's. It is not recorded, so that no later plan, and no `pulumi destroy`, takes it for a partition of ours.
 */
export function ownPart(
  desired: Declared & Pick<DesiredSet, "unmanaged">,
  actual: ActualSet,
  known: KnownOids,
): ActualSet {
  if (desired.unmanaged !== "ignore") return actual;
  const oids = new Set(Object.values(known));
  const keep = (level: Level, declared: Declared): Level => {
    const own = (list: ActualPartition[]) =>
      list
        .filter((partition) => oids.has(partition.oid) || isDeclared(declared, partition))
        .map((partition) => withLevel(partition, insideOf(declared, partition), keep));
    return { children: own(level.children), detached: own(level.detached) };
  };
  return { ...actual, ...keep(actual, desired) };
}

function insideOf(declared: Declared, { schema, name }: ActualPartition): Declared {
  return { schema, partitions: declared.partitions[name]?.partitions ?? {} };
}

function withLevel(
  partition: ActualPartition,
  declared: Declared,
  keep: (level: Level, declared: Declared) => Level,
): ActualPartition {
  const { level } = partition;
  return level === undefined ? partition : { ...partition, level: { ...level, ...keep(level, declared) } };
}
