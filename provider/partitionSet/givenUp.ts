/** What of the archive a program has given up: nobody has to remember it any more. Pure. */
import { uncovered } from "../../topology/coverage";
import { liesInRetired } from "../../topology/difference";
import { boundOf, entriesOf, type Nested, type PlacedEntry, setBelow } from "../../topology/level";
import type { DesiredSet, PartitionBound } from "../../topology/model";

/** Of which table, and with which bound. */
export interface FormerPlace {
  bound: PartitionBound;
  /** Name of the partition that it was a partition of; undefined: the set's own table. */
  under?: string;
}

/**
 * Tells whether a place is one of tier `dropped`, or is covered by several, or lies in what the policy has retired; so is what
 * is below it. `former` knows places that are not declared any more, by name.
 */
export function givenUpBy(
  desired: DesiredSet,
  former: ReadonlyMap<string, FormerPlace>,
): (place: FormerPlace) => boolean {
  const sets = new Map(setsBelow(desired));
  const declared = placesIn(desired.partitions);
  const isGivenUp = ({ bound, under }: FormerPlace): boolean => {
    if (under === undefined) return givesUp(desired, bound);
    const above = declared.get(under) ?? former.get(under);
    if (above !== undefined && isGivenUp(above)) return true;
    const set = sets.get(under);
    return set !== undefined && givesUp(set, bound);
  };
  return isGivenUp;
}

/** Of partitions that are declared or recorded, by name. */
export function placesIn<T extends PartitionBound & Nested<T>>(
  partitions: Readonly<Record<string, T>>,
): Map<string, FormerPlace> {
  const placeOf = ({ entry, under }: PlacedEntry<T>): FormerPlace => ({
    bound: boundOf(entry),
    ...(under !== "" && { under }),
  });
  return new Map([...entriesOf(partitions, "")].map((placed) => [placed.name, placeOf(placed)]));
}

function* setsBelow(set: DesiredSet): Generator<[string, DesiredSet]> {
  for (const name of Object.keys(set.partitions)) {
    const below = setBelow(set, name);
    if (below === undefined) continue;
    yield [name, below];
    yield* setsBelow(below);
  }
}

function givesUp({ partitions, retired, keyTypes }: DesiredSet, bound: PartitionBound): boolean {
  const dropped = Object.values(partitions).filter(({ tier }) => tier === "dropped");
  if (uncovered(bound, dropped.map(boundOf), keyTypes)?.length === 0) return true;
  return retired !== undefined && liesInRetired(bound, retired);
}
