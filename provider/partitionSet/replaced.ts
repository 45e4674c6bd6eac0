/** Copies of tables that are gone, though their rows are not: they went on into tables that are there. */
import { boundsOverlap } from "../../topology/bounds";
import type { ActualLevel, ActualSet } from "../../topology/model";

/**
 * Without the copies whose range other tables hold, as after a merge: what was dropped for its copy leaves its range free.
 * What is known to be archived stays, whoever is in its place. A table in the very place of another copy is most often what
 * an update has made that was killed before anybody could record it.
 */
export function withoutReplaced(actual: ActualSet): ActualSet {
  return { ...actual, ...levelWithout(actual, undefined, actual.parent?.keyTypes) };
}

type Level = Pick<ActualLevel, "children" | "detached" | "archived">;

function levelWithout(
  { children, detached, archived }: Level,
  under: string | undefined,
  types: ActualLevel["keyTypes"] | undefined,
): Level {
  const below = (partitions: ActualLevel["children"]) =>
    partitions.map((partition) => {
      const { name, level } = partition;
      return level === undefined
        ? partition
        : { ...partition, level: { ...level, ...levelWithout(level, name, level.keyTypes) } };
    });
  const holders = [...children, ...detached].filter(({ restored }) => restored === undefined);
  const left = archived?.filter(
    ({ only, under: place, bound }) =>
      only || place !== under || !holders.some((table) => boundsOverlap(table.bound, bound, types)),
  );
  return { children: below(children), detached: below(detached), ...(left && { archived: left }) };
}
