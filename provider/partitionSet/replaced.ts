/** Copies of tables that are gone, though their rows are not: they went on into tables that are there. */
import { boundsOverlap, sameBound } from "../../topology/bounds";
import type { ActualLevel, ActualSet, KnownOids } from "../../topology/model";

/**
 * Without the copies whose range attached partitions hold, as after a merge: what was dropped for its copy leaves its range
 * free. What is known to be archived stays, and so does what has a stranger in its very place.
 */
export function withoutReplaced(actual: ActualSet, known: KnownOids): ActualSet {
  const oids = new Set(Object.values(known));
  return { ...actual, ...levelWithout(actual, undefined, actual.parent?.keyTypes, oids) };
}

type Level = Pick<ActualLevel, "children" | "detached" | "archived">;

function levelWithout(
  { children, detached, archived }: Level,
  under: string | undefined,
  types: ActualLevel["keyTypes"] | undefined,
  known: ReadonlySet<number>,
): Level {
  const below = (partitions: ActualLevel["children"]) =>
    partitions.map((partition) => {
      const { name, level } = partition;
      return level === undefined
        ? partition
        : { ...partition, level: { ...level, ...levelWithout(level, name, level.keyTypes, known) } };
    });
  const left = archived?.filter(({ only, under: place, bound }) => {
    if (only || place !== under) return true;
    return !children.some(
      (child) =>
        boundsOverlap(child.bound, bound, types) && (known.has(child.oid) || !sameBound(child.bound, bound, types)),
    );
  });
  return { children: below(children), detached: below(detached), ...(left && { archived: left }) };
}
