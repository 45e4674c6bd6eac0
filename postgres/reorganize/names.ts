/** Names of what exists only while rows are moved; all of them begin with the product's, so that anybody can tell. */
import { relationsBelow } from "../../topology/level";
import type {
  NewLevel,
  RelationName,
  Reorganization,
  ReorganizationSource,
  ReorganizationTarget,
  SourceTable,
} from "../../topology/model";
import { reorganizationId } from "../../topology/reorganization";

/** Every relation of a reorganization, those with names of their own included, before, while and after. */
export interface Layout {
  id: string;
  /** Partitioned like the parent; its partitions are the targets, until these are attached to the parent. */
  staging: RelationName;
  /** Keys of rows that a capture could not write to the copy itself. */
  missed: RelationName;
  /** How far each leaf of the sources has been copied. */
  progress: RelationName;
  /** Trigger function of the capture. */
  capture: RelationName;
  /** Name of the row trigger, and of the TRUNCATE trigger, on each leaf of the sources. */
  triggers: { rows: string; truncate: string };
  sources: Source[];
  targets: Target[];
}

/** A table that leaves; `aside`: its name once another one has taken its own. */
export interface Source extends ReorganizationSource {
  aside: string;
  below?: (SourceTable & { leaf: boolean; aside: string })[];
}

/** A table that is made, and everything below it. */
export interface Target extends ReorganizationTarget {
  /** Where it is while rows are copied. */
  relation: RelationName;
  /** What is below it, tables before their partitions. */
  inside: Made[];
  /** `level` with the names while rows are copied. */
  reserved?: NewLevel;
}

export interface Made {
  relation: RelationName;
  /** What it is called when its table is attached. */
  final: RelationName;
  leaf: boolean;
}

/** First letters of the names of everything that is made for a while. */
export const RESERVED_PREFIX = "pgpartition_";

/** Column of the table of notes, beside those of the key: the note is being dealt with. */
export const TAKEN = "pgpartition_taken";

/** CHECK on each target that proves its bound; gone once it is attached. */
export const BOUND_CHECK = "pgpartition_bound";

/**
 * Triggers fire in the order of their names. The capture has to see a row before any trigger of the application can change
 * it again, or the older of two versions would be written last.
 */
const FIRST_TRIGGER = "!";

/** A table that will bear the name of one that leaves has a reserved one until that has given way. */
export function layoutOf(parentOid: number, schema: string, reorganization: Reorganization): Layout {
  const id = reorganizationId(parentOid, reorganization);
  const nameOf = (suffix: string) => `${RESERVED_PREFIX}${id}${suffix}`;
  const reserved = (suffix: string) => ({ schema, name: nameOf(suffix) });
  const taken = new Set(reorganization.sources.flatMap(treeOf).map(placeOf));
  return {
    id,
    staging: reserved(""),
    missed: reserved("_missed"),
    progress: reserved("_progress"),
    capture: reserved("_capture"),
    triggers: {
      rows: `${FIRST_TRIGGER}${RESERVED_PREFIX}${id}`,
      truncate: `${FIRST_TRIGGER}${RESERVED_PREFIX}${id}_truncate`,
    },
    sources: reorganization.sources.map((source, at) => sourceOf(source, nameOf(`_source${at + 1}`))),
    targets: reorganization.targets.map((target, at) =>
      targetOf(target, schema, (final, suffix) => {
        if (!taken.has(placeOf(final))) return final;
        return { schema: final.schema, name: nameOf(`_target${at + 1}${suffix}`) };
      }),
    ),
  };
}

function sourceOf({ below, ...source }: ReorganizationSource, aside: string): Source {
  if (below === undefined) return { ...source, aside };
  return { ...source, aside, below: below.map((one, at) => ({ ...one, aside: `${aside}_${at + 1}` })) };
}

function targetOf(
  target: ReorganizationTarget,
  schema: string,
  placed: (final: RelationName, suffix: string) => RelationName,
): Target {
  const { name, level } = target;
  const relation = placed({ schema, name }, "");
  if (level === undefined) return { ...target, relation, inside: [] };
  const divided = new Set(dividedBelow(level, schema).map(placeOf));
  const inside = relationsBelow(level, schema).map((final, at): Made => {
    return { relation: placed(final, `_${at + 1}`), final, leaf: !divided.has(placeOf(final)) };
  });
  const names = new Map(inside.map(({ relation: { name: reserved }, final }) => [placeOf(final), reserved]));
  return { ...target, relation, inside, reserved: renamed(level, schema, names) };
}

function dividedBelow({ partitions }: NewLevel, schema: string): RelationName[] {
  return partitions.flatMap(({ name, schema: own = schema, level }) =>
    level === undefined ? [] : [{ schema: own, name }, ...dividedBelow(level, own)],
  );
}

function renamed({ partitions, ...key }: NewLevel, schema: string, names: ReadonlyMap<string, string>): NewLevel {
  return {
    ...key,
    partitions: partitions.map(({ level, ...partition }) => {
      const { name, schema: own = schema } = partition;
      const inside = level === undefined ? {} : { level: renamed(level, own, names) };
      return { ...partition, name: names.get(placeOf({ schema: own, name })) ?? name, ...inside };
    }),
  };
}

function placeOf({ schema, name }: RelationName): string {
  return JSON.stringify([schema, name]);
}

/** A source, and everything below it. */
export function treeOf<T extends ReorganizationSource>(source: T): (T | NonNullable<T["below"]>[number])[] {
  return [source, ...(source.below ?? [])];
}

/** The tables of a source that hold its rows. */
export function leavesOf(source: Source): SourceTable[] {
  return source.below === undefined ? [source] : source.below.filter(({ leaf }) => leaf);
}

/** A target, and everything below it. */
export function madeOf({ relation, name, inside, level }: Target): Made[] {
  return [{ relation, final: { schema: relation.schema, name }, leaf: level === undefined }, ...inside];
}

/** Everything that is made, as it is called while rows are copied. */
export function copiesOf({ targets }: Layout): RelationName[] {
  return targets.flatMap(madeOf).map(({ relation }) => relation);
}

/** True when one of the tables that are made takes the name of this one. */
export function givesWay({ targets }: Layout, source: RelationName): boolean {
  const place = placeOf(source);
  return targets.flatMap(madeOf).some(({ final }) => placeOf(final) === place);
}

/** What a table that leaves is called once the exchange has been made. */
export function nameAfterSwap(layout: Layout, source: RelationName & { aside: string }): RelationName {
  return { schema: source.schema, name: givesWay(layout, source) ? source.aside : source.name };
}
