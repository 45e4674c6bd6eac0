/**
 * Differences below a partition that differs itself. The catalog compares each table with its direct parent as that one
 * is now; in the same plan the parent is put right, and the tables below are to be like it then, not like it was.
 */
import { type AttributeDifference, type ChildAttribute, groupOf } from "../attributes";
import type { ActualLevel, ActualPartition, DesiredSet } from "../model";

/** What a partition has of its parent's own making is compared by presence, and brought down by its own repair. */
const NOT_HANDED_DOWN: ReadonlySet<ChildAttribute> = new Set<ChildAttribute>([
  "publications",
  "ownTriggers",
  "extendedStatistics",
  "extendedStatisticsTargets",
  "indexStatisticsTargets",
  "comment",
  "columnIdentity",
  "persistence",
  "storageParameters",
  "tablespace",
  "accessMethod",
  "indexes",
]);

/** The level with the differences that its tables will have once `repaired` is put right on the table above. */
export function belowRepaired(
  level: ActualLevel,
  repaired: readonly AttributeDifference[],
  { children }: Pick<DesiredSet, "children">,
): ActualLevel {
  // Rights that no partition is to have are not compared with a parent.
  const isHanded = ({ attribute }: AttributeDifference) =>
    !NOT_HANDED_DOWN.has(attribute) && (groupOf(attribute) !== "grants" || children?.grants !== "none");
  const handed = repaired.filter(isHanded);
  if (handed.length === 0) return level;
  const against = (tables: ActualPartition[]) =>
    tables.map((table) => ({ ...table, differences: afterRepair(table.differences ?? [], handed) }));
  return { ...level, children: against(level.children), detached: against(level.detached) };
}

/** A table that shows no difference is like the parent was. */
function afterRepair(
  own: readonly AttributeDifference[],
  handed: readonly AttributeDifference[],
): AttributeDifference[] {
  const above = new Map(handed.map((difference) => [aboutOf(difference), difference]));
  const known = new Set(own.map(aboutOf));
  const changed = own.flatMap((difference) => {
    const repair = above.get(aboutOf(difference));
    if (repair === undefined) return [difference];
    const { expected: _, ...rest } = difference;
    if (difference.found === repair.expected) return [];
    return [repair.expected === undefined ? rest : { ...rest, expected: repair.expected }];
  });
  return [...changed, ...handed.filter((difference) => !known.has(aboutOf(difference)))];
}

function aboutOf({ attribute, name, column, role }: AttributeDifference): string {
  return JSON.stringify([attribute, name, column, role]);
}
