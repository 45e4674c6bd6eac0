/** What people are told of rows that are in the archive only, and that nothing here speaks of any more. Pure. */
import { boundsOverlap } from "../../topology/bounds";
import { archivedOf, copiesOf } from "../../topology/fromState";
import { entriesOf, record } from "../../topology/level";
import type { ActualSet, ArchivedCopy, DesiredSet } from "../../topology/model";
import { bytesText } from "../../topology/sizeText";
import { isAttached, needsArchive } from "../../topology/tiers";
import type { Properties } from "../values";
import { givenUpBy, placesIn } from "./givenUp";
import type { RecordedPartition } from "./state";

/** Names in a line. */
const SHOWN = 10;

/** Partitions that are archived, and that the program gives up or does not declare any more, in a line each; none: nothing to say. */
export function forgottenTexts(olds: Properties, desired: DesiredSet): string[] {
  const tiers = new Map([...entriesOf(desired.partitions, "")].map(({ name, entry }) => [name, entry.tier]));
  const recorded = placesIn(record(olds.partitions) as Record<string, RecordedPartition>);
  const isGivenUp = givenUpBy(desired, recorded);
  const leaving = archivedOf(olds).filter(({ name }) => {
    const tier = tiers.get(name);
    return tier === undefined || !(isAttached(tier) || needsArchive(tier));
  });
  const stays = (copy: ArchivedCopy) => copy.only === true && !isGivenUp(copy);
  const forgotten = leaving.filter((copy) => !stays(copy));
  // Said once: what is not declared is not among the recorded partitions after that.
  const kept = leaving.filter((copy) => stays(copy) && recorded.has(copy.name));
  const texts: [ArchivedCopy[], string][] = [
    [
      forgotten,
      `archived, and not declared to be so any more. The state forgets ${them(forgotten)}; what is stored stays in ` +
        `${storeOf(olds)} until the lifecycle of the bucket (or somebody) deletes it.`,
    ],
    [
      kept,
      `archived, and not declared any more. The state keeps ${them(kept)}, so that no empty partition is made in that range: ` +
        "declared again as before, the rows come back; tier dropped gives them up.",
    ],
  ];
  return texts.filter(([copies]) => copies.length > 0).map(([copies, text]) => `${listed(copies)}: ${text}`);
}

/**
 * Archived partitions that nothing declares and that the state has never heard of: after an import or with a lost state, and of an
 * update that was killed. Undefined: none.
 */
export function foundText(
  olds: Properties,
  { archived = [], parent }: Pick<ActualSet, "archived" | "parent">,
  { partitions, archive }: Pick<DesiredSet, "partitions" | "archive">,
): string | undefined {
  const known = new Set([...copiesOf(olds).values()].map(({ manifest }) => manifest.key));
  const declared = new Set([...entriesOf(partitions, "")].map(({ name }) => name));
  const found = archived.filter(({ only, under, bound, name, manifest }) => {
    if (!only || known.has(manifest.key) || declared.has(name) || declared.has(under ?? "")) return false;
    // Where another bound is declared its partition is refused, and these are named there.
    const beside = under === undefined ? Object.values(partitions) : [];
    return !beside.some((entry) => boundsOverlap(entry, bound, parent?.keyTypes));
  });
  if (found.length === 0) return undefined;
  return (
    `${listed(found)}: in ${archive?.store ?? "the archive"}, and neither a table nor declared. The state keeps ${them(found)}, so that no empty ` +
    `partition is made in that range; to have ${them(found)} back, or by a pin, let window.from be early enough, or declare ` +
    `${them(found)} in partitions. Tier dropped gives ${them(found)} up.`
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
