/** Names that partitions are to bear: in an order in which each is free, and through a name in between where they change places. */
import type { ActualPartition, RelationName } from "../model";
import { type Context, type Draft, inTree, note, qualified } from "./context";
import type { DraftBuilder } from "./drafts";
import { afterFinalize } from "./removals";

/** A partition that is to bear its declared name, in the declared schema. */
export interface WantedRename {
  name: string;
  table: ActualPartition;
}

/** A relation that bears a name. */
type Holder = RelationName & { oid: number };

/** Renames partitions to one another's names too. A name that somebody else keeps is reported. */
export function renameAll(context: Context, build: DraftBuilder, wanted: readonly WantedRename[]): void {
  const byOid = new Map(wanted.map((one) => [one.table.oid, one]));
  const waiting = new Set(wanted);
  for (const start of wanted) {
    const chain: WantedRename[] = [];
    for (let one: WantedRename | undefined = start; one !== undefined && waiting.has(one); ) {
      waiting.delete(one);
      chain.push(one);
      const holder: Holder | undefined = holderOf(context, one);
      one = holder === undefined ? undefined : byOid.get(holder.oid);
    }
    renameChain(context, build, chain);
  }
}

/** Each takes the name of the next; when the last one takes that of the first, the first steps aside meanwhile. */
function renameChain(context: Context, build: DraftBuilder, chain: readonly WantedRename[]): void {
  const [first] = chain;
  const last = chain.at(-1);
  if (first === undefined || last === undefined) return;
  if (chain.length > 1 && holderOf(context, last)?.oid === first.table.oid) {
    const aside = { ...first.table, name: `pgpartition_rename_${first.table.oid}` };
    const away = build.rename(aside.name, first.table, afterFinalize(context, first.table), aside);
    const stepped = push(context, away);
    const begun = context.drafts.renames.length;
    for (const one of chain.slice(1).reverse()) renameOne(context, build, one);
    context.settled.set(first.name, first.table);
    const before = context.drafts.renames.find(({ oid }) => oid === chain[1]?.table.oid);
    push(context, build.rename(first.name, aside, [stepped, ...(before === undefined ? [] : [before.id])]));
    // Left half way, a partition would bear a name that no declaration knows.
    for (const draft of context.drafts.renames.slice(begun)) draft.beside = true;
    return;
  }
  for (const one of [...chain].reverse()) renameOne(context, build, one);
}

/** Gives back the id of the rename, or undefined when the name stays taken (then reported). */
export function renameOne(context: Context, build: DraftBuilder, wanted: WantedRename): string | undefined {
  const { name, table } = wanted;
  const taken = holderOf(context, wanted);
  const away = context.drafts.renames.find(({ oid }) => oid === taken?.oid);
  if (taken !== undefined && away === undefined) {
    const why = `${qualified(table)} is the partition ${name}, but ${qualified(taken)} stands in the place of its name`;
    note(context, "error", name, `${why}. Rename one of them by hand.`, taken);
    return undefined;
  }
  context.settled.set(name, table);
  const after = [...afterFinalize(context, table), ...(away === undefined ? [] : [away.id])];
  return push(context, build.rename(name, table, after));
}

/** Whoever else bears the name in the declared schema. */
function holderOf(context: Context, { name, table }: WantedRename): Holder | undefined {
  const { childByName, detachedByName, strangerByName } = context;
  const holder = childByName.get(name) ?? detachedByName.get(name) ?? strangerByName.get(name) ?? inTree(context, name);
  return holder?.oid === table.oid ? undefined : holder;
}

function push({ drafts }: Context, draft: Draft): string {
  drafts.renames.push(draft);
  return draft.id;
}
