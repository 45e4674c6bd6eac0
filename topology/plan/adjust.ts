/** Decisions about partitions that stay or come: which of their attributes are put right, and which are only shown. */
import { type AttributeDifference, DEFAULT_CHILDREN, describeDifference, obstacleOf, treatmentOf } from "../attributes";
import { type GeneratedDeclaration, withDeclaredExpressions } from "../generated";
import type { ActualPartition, DesiredSet, PartitionBound, Stranger } from "../model";
import { tablesGoing } from "../orphans";
import type { Finding } from "../steps";
import { commentDifferences, rewriteObstacle, type StorageDeclaration, storageDifferences } from "../storage";
import { type Context, type Declared, type Draft, note, ownChild, type Place } from "./context";
import type { DraftBuilder } from "./drafts";

/** Partitions named in one finding; the rest are counted. */
const NAMED = 5;

/** A table as it will be when the steps before have been done. */
export type Adjustable = Pick<ActualPartition, "relkind" | "bytes" | "differences" | "stored"> & {
  bound: PartitionBound;
};

/** The part of a set that says what partitions have. */
export type AttributeDeclaration = StorageDeclaration & GeneratedDeclaration & Pick<DesiredSet, "children">;

/** Differences of a declared partition by what becomes of them. */
export interface Treated {
  repair: AttributeDifference[];
  /** Is repaired by a new table only: in place it would rewrite a table of this size, or this server has no way to. */
  refuse: AttributeDifference[];
  /** Declared, and not possible in any way. */
  impossible: AttributeDifference[];
  report: AttributeDifference[];
}

/** What a partition has that is not as declared or as its parent has it; `name` is its declared name. */
export function treat(desired: AttributeDeclaration, name: string, table: Adjustable): Treated {
  const policy = desired.children ?? DEFAULT_CHILDREN;
  const all = [
    ...withDeclaredExpressions(desired, name, table),
    ...storageDifferences(desired, table),
    ...commentDifferences(desired, table, name),
  ];
  const treated: Treated = { repair: [], refuse: [], impossible: [], report: [] };
  for (const difference of all) {
    const treatment = treatmentOf(difference, policy);
    if (treatment === "ignore") continue;
    const obstacle = rewriteObstacle(difference, table.bytes, desired.server?.unalterable);
    if (difference.declared && difference.obstacle !== undefined) treated.impossible.push(difference);
    else if (treatment === "repair" && obstacle !== undefined) treated.refuse.push({ ...difference, obstacle });
    else treated[treatment].push(difference);
  }
  return treated;
}

/** One `adjust` for each partition that has something to be put right, after everything that brings it into its place. */
export function adjustAttributes(context: Context, build: DraftBuilder, live: readonly Declared[]): void {
  const { renames, rebounds, additions, reorganizations, adjustments } = context.drafts;
  const moved = new Map<string, Draft[]>();
  for (const draft of [...renames, ...rebounds, ...additions])
    if (draft.oid !== undefined) moved.set(draft.partition, [...(moved.get(draft.partition) ?? []), draft]);
  const unchanged = new Set(context.unchanged);
  // What is made for rows that change tables is made like the parent.
  const leaving = new Set(reorganizations.flatMap(tablesGoing));
  const strangers = new Map(context.actual.strangers.map((table) => [table.oid, table]));
  for (const { name, partition } of live) {
    const drafts = moved.get(name) ?? [];
    const oid = drafts.at(-1)?.oid ?? (unchanged.has(name) ? ownChild(context, name)?.oid : undefined);
    const table = oid === undefined ? undefined : tableOf(context, strangers, oid);
    if (table === undefined || oid === undefined || leaving.has(oid)) continue;
    const { repair, refuse, impossible, report } = treat(context.desired, name, { ...table, bound: partition });
    for (const difference of [...refuse, ...impossible]) note(context, "error", name, textOf(difference), table);
    for (const difference of report) notice(context, name, difference);
    for (const { attribute, name: index } of repair) if (attribute === "indexes") lacks(context, index ?? "", name);
    const atOnce = repair.filter(({ attribute }) => attribute !== "indexes");
    if (atOnce.length === 0) continue;
    const after = drafts.map(({ id }) => id);
    adjustments.push(build.adjust(name, { ...table, oid }, atOnce, after));
  }
}

/** A build may take hours and is no part of any transaction: it comes after all steps. */
function lacks({ incomplete, parent: { schema, name, oid } }: Context, index: string, partition: string): void {
  const key = `${oid} ${index}`;
  const known = incomplete.get(key) ?? { table: { schema, name, oid }, index, partitions: [] };
  incomplete.set(key, { ...known, partitions: [...known.partitions, partition] });
}

function tableOf(
  { childByOid, detachedByOid }: Context,
  strangers: Map<number, Stranger>,
  oid: number,
): ActualPartition | Stranger | undefined {
  return childByOid.get(oid) ?? detachedByOid.get(oid) ?? strangers.get(oid);
}

/** The same difference of many partitions is one finding. */
function notice({ noticed }: Place, name: string, difference: AttributeDifference): void {
  const text = textOf(difference);
  noticed.set(text, [...(noticed.get(text) ?? []), name]);
}

/** What is only shown, on every level. */
export function noticedFindings({ noticed }: Place): Finding[] {
  return [...noticed].map(([text, names]) => {
    const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : "";
    return { severity: "warning", path: "children", reason: `${names.slice(0, NAMED).join(", ")}${more}: ${text}` };
  });
}

function textOf(difference: AttributeDifference): string {
  const advice = difference.obstacle ?? obstacleOf(difference.attribute) ?? 'It is only reported, as "children" says.';
  return `${describeDifference(difference)}. ${advice}`;
}
