/** What people are told of rows that are in the archive only, and that nothing here speaks of any more. Pure. */
import { archivedOf } from "../../topology/fromState";
import { entriesOf } from "../../topology/level";
import type { ArchivedCopy, DesiredSet } from "../../topology/model";
import { bytesText } from "../../topology/sizeText";
import { isAttached, needsArchive } from "../../topology/tiers";
import type { Properties } from "../values";

/** Names in a line. */
const SHOWN = 10;

/** Partitions that are archived, and that the program gives up or does not declare any more; undefined: none. */
export function forgottenText(olds: Properties, desired: Pick<DesiredSet, "partitions">): string | undefined {
  const tiers = new Map([...entriesOf(desired.partitions, "")].map(({ name, entry }) => [name, entry.tier]));
  const forgotten = archivedOf(olds).filter(({ name }) => {
    const tier = tiers.get(name);
    return tier === undefined || !(isAttached(tier) || needsArchive(tier));
  });
  if (forgotten.length === 0) return undefined;
  return (
    `${listed(forgotten)}: archived, and not declared to be so any more. The state forgets ${them(forgotten)}; ` +
    `what is stored stays in ${storeOf(olds)} until the lifecycle of the bucket (or somebody) deletes it.`
  );
}

/** What a preview stands on while the store is still to be made. */
export function toBeMadeText(olds: Properties): string {
  const text =
    "archive.store is known when its bucket has been made; planned as if nothing but what the state knows were in it.";
  const archived = archivedOf(olds);
  if (archived.length === 0) return text;
  return `${text} ${listed(archived)}: archived in ${storeOf(olds)}; bring the objects into the new store, or nothing of it can be restored from there.`;
}

/** What a destroyed set leaves in its archive; undefined: nothing. */
export function remainingText(
  olds: Properties,
  { schema, table }: Pick<DesiredSet, "schema" | "table">,
): string | undefined {
  const left = archivedOf(olds);
  if (left.length === 0) return undefined;
  return (
    `${schema}.${table}: the rows of ${listed(left)} stay in ${storeOf(olds)}. The set that had them is gone from the state; ` +
    "`pgpartition archive` lists and restores them."
  );
}

function listed(copies: readonly ArchivedCopy[]): string {
  const sum = (of: "rows" | "bytes") => copies.reduce((total, copy) => total + copy[of], 0);
  const names = copies.map(({ name }) => name);
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : "";
  return `${names.slice(0, SHOWN).join(", ")}${more} (${sum("rows").toLocaleString("en-US")} rows, ${bytesText(sum("bytes"))})`;
}

function them(copies: readonly ArchivedCopy[]): string {
  return copies.length === 1 ? "it" : "them";
}

function storeOf({ archive }: Properties): string {
  const { store } = (archive ?? {}) as { store?: unknown };
  return typeof store === "string" ? store : "its store";
}
