/** Partitions that are partitioned themselves, where their rows change tables: what is below them, and what is to be. */
import { describeKey, levelKey, newLevel, setBelow } from "../level";
import type { ActualLevel, ActualPartition, DesiredPartition, NewLevel, ReorganizationSource } from "../model";
import { isAttached } from "../tiers";
import { type Context, type Draft, qualified } from "./context";
import { DraftBuilder } from "./drafts";
import { endingsIn } from "./unfinished";

/** A source with all that is below it and stays there; what is half detached is finished before. */
export function sourceOf({ schema, name, oid, bound, rows, bytes, level }: ActualPartition): ReorganizationSource {
  return {
    schema,
    name,
    oid,
    bound,
    ...(rows === undefined ? {} : { rows }),
    ...(bytes === undefined ? {} : { bytes }),
    ...(level && { below: tablesBelow(level) }),
  };
}

function tablesBelow({ children }: ActualLevel): NonNullable<ReorganizationSource["below"]> {
  const attached = children.filter(({ state }) => state === "live");
  return attached.flatMap(({ schema, name, oid, level }) => [
    { schema, name, oid, leaf: level === undefined },
    ...(level === undefined ? [] : tablesBelow(level)),
  ]);
}

/** The table, and everything that is attached below it. */
export function withBelow(table: ActualPartition): ActualPartition[] {
  return [table, ...(table.level?.children ?? []).flatMap(withBelow)];
}

/** How the table of a declared partition is divided; undefined for a leaf, and for one that rows only pass through. */
export function levelOf({ desired }: Context, name: string): NewLevel | undefined {
  const partition = Object.hasOwn(desired.partitions, name) ? desired.partitions[name] : undefined;
  return partition !== undefined && isAttached(partition.tier)
    ? newLevel(partition, setBelow(desired, name))
    : undefined;
}

/** True when it is partitioned and declared not to be, the other way round, or by another key. A level of which nothing is said is left alone. */
export function isDividedOtherwise({ partitionBy, leaf }: DesiredPartition, { level }: ActualPartition): boolean {
  if (partitionBy === undefined) return leaf === true && level !== undefined;
  if (level === undefined) return true;
  const { strategy, keyColumns } = levelKey(partitionBy);
  return strategy !== level.strategy || keyColumns.join("\0") !== level.keyColumns.map((one) => one ?? "").join("\0");
}

/** `public.events_2024 is an undivided table, but is declared as partitioned by HASH (id)`. */
export function otherwiseText(table: ActualPartition, { partitionBy }: DesiredPartition): string {
  const declared = partitionBy && levelKey(partitionBy);
  return `${qualified(table)} is ${divisionText(table.level)}, but is declared as ${divisionText(declared)}`;
}

function divisionText(key: Parameters<typeof describeKey>[0] | undefined): string {
  return key === undefined ? "an undivided table" : `partitioned by ${describeKey(key)}`;
}

/** The first partition at any depth of which this is true. */
export function findBelow(
  { level }: ActualPartition,
  test: (one: ActualPartition) => boolean,
): ActualPartition | undefined {
  for (const child of level?.children ?? []) {
    const found = test(child) ? child : findBelow(child, test);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * What interrupted runs have left below a table that is to be exchanged: copies whose triggers would be captured with it,
 * and partitions that nobody sees any more but whose range is taken.
 */
export function endingsBelow(context: Context, table: ActualPartition): Draft[] {
  return [...endingsIn(table, context.desired), ...finalizesBelow(context, table)];
}

function finalizesBelow(context: Context, { level, schema, name, oid }: ActualPartition): Draft[] {
  const build = new DraftBuilder(context.desired, { schema, name, oid });
  return (level?.children ?? []).flatMap((child) =>
    child.state === "pending" ? [build.finalize(child)] : finalizesBelow(context, child),
  );
}
