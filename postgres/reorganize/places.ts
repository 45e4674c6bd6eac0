/** Rows that a divided target would have no place for, found before anything is moved. */
import type { NewLevel, Reorganization } from "../../topology/model";
import { boundPredicate, hashPredicate } from "../boundSql";
import type { Session } from "../connection";
import { type Found, lookFor } from "../holdings";
import { qualified, quoteIdent } from "../identifiers";
import type { ParentFacts } from "../parent";

type Target = Reorganization["targets"][number];

/** A target whose own partitions do not take every row, and whether a source holds one of those. */
export interface Gap {
  target: string;
  source: string;
  found: Exclude<Found, "none">;
}

/** Looks into the sources; short, as all looks are. */
export async function gapsOf(session: Session, about: Reorganization, parent: ParentFacts): Promise<Gap[]> {
  const gaps: Gap[] = [];
  for (const target of about.targets) {
    const outside = rowsWithoutPlace(target.level);
    if (outside === undefined) continue;
    const inside =
      boundPredicate(target.bound, parent.keys) ?? hashPredicate(target.bound, qualified(parent), parent.keys);
    const predicate = inside === undefined ? outside : `${inside} AND (${outside})`;
    for (const source of about.sources) {
      const found = await lookFor(session, source, predicate);
      if (found !== "none") gaps.push({ target: target.name, source: qualified(source), found });
    }
  }
  return gaps;
}

/** The condition of rows that no partition below takes; undefined when each has a place. */
export function rowsWithoutPlace(level: Target["level"]): string | undefined {
  if (level === undefined || level.partitions.some(({ bound }) => "default" in bound)) return undefined;
  return level.strategy === "hash" ? belowBuckets(level) : belowBounds(level);
}

/** Which bucket takes a row is known only when the table is there: such a row is in none of what is below the buckets. */
function belowBuckets({ partitions }: NewLevel): string | undefined {
  const gaps = partitions.map((bucket) => rowsWithoutPlace(bucket.level));
  const known = gaps.filter((gap) => gap !== undefined);
  return known.length < gaps.length ? undefined : [...new Set(known)].map((gap) => `(${gap})`).join(" AND ");
}

function belowBounds({ keyColumns, partitions }: NewLevel): string {
  const keys = keyColumns.map((column) => ({ sql: quoteIdent(column) }));
  const taken = partitions.map(({ bound, level }) => {
    const inside = boundPredicate(bound, keys) ?? "false";
    const outside = rowsWithoutPlace(level);
    return outside === undefined ? `(${inside})` : `(${inside} AND NOT (${outside}))`;
  });
  return taken.length === 0 ? "true" : `NOT (${taken.join(" OR ")})`;
}
