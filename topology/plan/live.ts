/** Decisions about the partitions that are to be attached. */
import { describeBound } from "../bounds";
import { refusedExpressions } from "../generated";
import { besideBound, boundOf, isInPlace, relationsBelow, schemaOf } from "../level";
import type { ActualPartition, NewLevel, PartitionBound, Stranger } from "../model";
import {
  archivedCopy,
  hidesInPart,
  levelWithoutArchived,
  refusePartial,
  reportBesideArchived,
  restore,
} from "./archive";
import {
  ask,
  type Context,
  type Declared,
  inTree,
  knownChild,
  note,
  oidOf,
  ownChild,
  placeKey,
  qualified,
} from "./context";
import type { DraftBuilder } from "./drafts";
import { afterFinalize, keyOf, makeRoom } from "./removals";
import { renameAll, renameOne, type WantedRename } from "./renames";

/**
 * First pass: partitions that are there with their bound. Gives back those that are missing, for which the second pass must
 * know which bounds will have moved.
 */
export function matchLive(context: Context, build: DraftBuilder, declared: readonly Declared[]): Declared[] {
  const wanted: WantedRename[] = [];
  const missing = declared.filter((one) => !matched(context, one, wanted));
  renameAll(context, build, wanted);
  return missing;
}

function matched(context: Context, declared: Declared, wanted: WantedRename[]): boolean {
  const { name } = declared;
  const holder = context.childByKey.get(keyOf(context, declared));
  if (holder === undefined || holder.state === "pending") {
    const own = ownChild(context, name);
    if (own?.state === "pending") context.handled.add(own.oid);
    return false;
  }
  context.handled.add(holder.oid);
  reportBesideArchived(context, declared, holder);
  if (holder.name === name && isInPlace(context.desired, holder)) {
    context.unchanged.push(name);
    context.settled.set(name, holder);
  } else if (mayMove(context, declared, holder)) wanted.push({ name, table: holder });
  else otherName(context, declared, holder);
  return true;
}

/**
 * The state knows it by this name; or its name is right, and the program says where it is to be. What has never been
 * declared keeps its name and, unless the program says otherwise, its schema: others find it by them.
 */
function mayMove({ known }: Context, { name, partition }: Declared, holder: ActualPartition): boolean {
  return oidOf(known, name) === holder.oid || (holder.name === name && partition.schema !== undefined);
}

function otherName(context: Context, { name, partition }: Declared, holder: ActualPartition): void {
  if (holder.name === name) {
    const { schema, table } = context.desired;
    const where = `${describeBound(partition)} is held by ${qualified(holder)}, in another schema than ${schema}.${table}`;
    const stay = `partitionSchema: ${JSON.stringify(holder.schema)}, or schema in its entry of partitions, leaves it there`;
    const move = `${JSON.stringify(schema)} moves it`;
    note(context, "error", name, `${where}. Say where it is to be: ${stay}; ${move}.`, holder);
    return;
  }
  const what = `${describeBound(partition)} is held by ${qualified(holder)}, not by ${name}`;
  const entry = `partitions: {${JSON.stringify(holder.name)}: …} with the same bound`;
  note(context, "error", name, `${what}. Choose a naming template that gives this name, or list ${entry}.`, holder);
}

/** Gives the one child of a component, all of whose rows belong there, its declared bound (and name). */
export function rebound(
  context: Context,
  build: DraftBuilder,
  { name, partition }: Declared,
  child: ActualPartition,
): void {
  context.handled.add(child.oid);
  const bound = boundOf(partition);
  const hits = context.index.find(bound).filter(({ oid }) => oid !== child.oid);
  const after = hits.map((hit) => freed(context, hit));
  const blocked = hits.filter((_, at) => after[at] === undefined);
  if (blocked.length > 0) {
    refuseOverlap(context, name, `the bound of ${qualified(child)} cannot become ${describeBound(bound)}`, blocked);
    return;
  }
  const room = after.filter((id) => id !== undefined);
  if (child.name !== name || child.schema !== schemaOf(context.desired, name)) {
    const renamed = renameOne(context, build, { name, table: child });
    if (renamed === undefined) return;
    room.push(renamed);
  }
  const reason = `its bound is ${describeBound(child.bound)} instead of the declared one`;
  const relation = { ...child, name, schema: schemaOf(context.desired, name) };
  context.settled.set(name, child);
  const seen = ask(context, child);
  const proven = (seen?.bytes ?? child.bytes ?? 0) > PROVE_BYTES && !("default" in bound) && child.relkind !== "f";
  context.drafts.rebounds.push(build.rebound(relation, bound, reason, room, seen?.boundChecks, proven));
}

/** A table of this size (with indexes and TOAST) is proven before it is attached again, which otherwise looks through it. */
const PROVE_BYTES = 10 * 1024 * 1024;

/** The step after which a child no longer holds its range; undefined when it stays. */
export function freed(context: Context, child: ActualPartition): string | undefined {
  return child.state === "pending" ? afterFinalize(context, child)[0] : makeRoom(context, child);
}

/** Records that children which stay hold what is needed. */
export function refuseOverlap(context: Context, name: string, what: string, blocked: readonly ActualPartition[]): void {
  const list = blocked.map((child) => `${qualified(child)} (${describeBound(child.bound)})`).join(", ");
  note(
    context,
    "error",
    name,
    `${what}: overlaps ${list}. Detach what is in the way, or declare its bound.`,
    blocked[0],
  );
}

/** Second pass: a declared partition that is missing is attached when it is known or adopted, else created. */
export function addMissing(context: Context, build: DraftBuilder, { name, partition }: Declared): void {
  const bound = boundOf(partition);
  if (expressionsRefused(context, { name, partition })) return;
  const room = roomFor(context, name, bound);
  if (room === undefined) return;
  const source = returning(context, name);
  const copy = archivedCopy(context, { name, partition });
  if (source?.restored === "partial") {
    context.handled.add(source.oid);
    if (copy === undefined) refusePartial(context, name, source);
    else restore(context, build, { name, partition }, copy, room);
    return;
  }
  if (source !== undefined) {
    bringBack(context, build, name, source, bound, room);
    return;
  }
  const stranger = context.strangerByName.get(name);
  if (stranger !== undefined) {
    if (!mayAdopt(context, name, stranger)) return;
    context.drafts.additions.push(build.attach(name, stranger, bound, "declared in adopt", room));
    return;
  }
  const free = nameFreed(context, name);
  if (free === undefined) return;
  if (copy !== undefined) {
    restore(context, build, { name, partition }, copy, [...room, ...free]);
    return;
  }
  if (hidesInPart(context, { name, partition })) return;
  if (oidOf(context.known, name) !== undefined)
    note(context, "warning", name, `${name} was dropped outside; its rows are gone. It is created again, empty.`);
  const level = levelWithoutArchived(context, { name, partition });
  if (insideTaken(context, name, level)) return;
  context.drafts.additions.push(
    build.create(
      name,
      bound,
      { ...besideBound(context.desired, name, partition), ...(level && { level }) },
      "declared",
      [...room, ...free],
    ),
  );
}

/** What is made anew has its own generation expressions from the start; true when the server takes one of them not (then reported). */
export function expressionsRefused(context: Context, { name, partition }: Declared): boolean {
  const refused = refusedExpressions(context.desired, partition);
  for (const { column, reason } of refused) note(context, "error", name, `generated.${column}: ${reason}`);
  return refused.length > 0;
}

/**
 * A subtree is made whole: a table that stands where one of its partitions is to be made stops all of it, unless it gives
 * way in the same step (`giving`).
 */
export function insideTaken(
  context: Context,
  name: string,
  level: NewLevel | undefined,
  giving: ReadonlySet<number> = new Set(),
): boolean {
  for (const inside of relationsBelow(level, schemaOf(context.desired, name))) {
    const key = placeKey(inside);
    const taken = context.actual.strangers.find((one) => placeKey(one) === key) ?? context.tree.get(key);
    if (taken === undefined || giving.has(taken.oid)) continue;
    const why = `${name} is made with all its partitions, but ${qualified(taken)} stands in the place of one of them`;
    const route = "Rename or drop it by hand; it can be attached by adopt once the rest is there";
    note(context, "error", name, `${why}. ${route}.`, taken);
    return true;
  }
  return false;
}

/** The steps after which nobody else holds the bound; undefined when somebody stays (then reported). */
function roomFor(context: Context, name: string, bound: PartitionBound): string[] | undefined {
  const hits = context.index.find(bound);
  const rebounds = new Map(context.drafts.rebounds.map(({ oid, id }) => [oid, id]));
  const freedBy = hits.map((hit) => freed(context, hit) ?? rebounds.get(hit.oid));
  const blocked = hits.filter((_, at) => freedBy[at] === undefined);
  if (blocked.length === 0) return freedBy.filter((id) => id !== undefined);
  refuseOverlap(context, name, `${name} cannot be attached with ${describeBound(bound)}`, blocked);
  return undefined;
}

/** The partition's own table: half detached under its name, or known by its OID under any name. */
export function returning(context: Context, name: string): ActualPartition | undefined {
  const own = ownChild(context, name) ?? knownChild(context, name);
  if (own?.state === "pending") return own;
  const oid = oidOf(context.known, name);
  return oid === undefined ? undefined : context.detachedByOid.get(oid);
}

function bringBack(
  context: Context,
  build: DraftBuilder,
  name: string,
  source: ActualPartition,
  bound: PartitionBound,
  room: string[],
): void {
  context.handled.add(source.oid);
  const after = [...room, ...afterFinalize(context, source)];
  if (source.name !== name || source.schema !== schemaOf(context.desired, name)) {
    const renamed = renameOne(context, build, { name, table: source });
    if (renamed === undefined) return;
    after.push(renamed);
  }
  context.settled.set(name, source);
  const reason = source.state === "pending" ? "declared; its detach was interrupted" : "declared; detached now";
  context.drafts.additions.push(build.attach(name, source, bound, reason, [...new Set(after)]));
}

/** The steps after which the name is free; undefined when it stays taken (then reported). */
function nameFreed(context: Context, name: string): string[] | undefined {
  const taken = context.childByName.get(name) ?? context.detachedByName.get(name) ?? inTree(context, name);
  if (taken === undefined) return [];
  const away = context.drafts.renames.find(({ oid }) => oid === taken.oid);
  if (away !== undefined) return [away.id];
  note(
    context,
    "error",
    name,
    `the name is taken by ${qualified(taken)}, another partition. Rename it by hand.`,
    taken,
  );
  return undefined;
}

function mayAdopt(context: Context, name: string, stranger: Stranger): boolean {
  const other = stranger.partitionOf;
  const obstacles = [...stranger.misfits, ...(other ? [`it is a partition of ${qualified(other)}`] : [])];
  const declared = context.desired.adopt.includes(name);
  if (declared && obstacles.length === 0) return true;
  const shape = obstacles.length === 0 ? "its shape fits" : `it does not fit: ${obstacles.join("; ")}`;
  const what = `${qualified(stranger)} exists already and is not known as a partition (${size(stranger)}; ${shape})`;
  const advice = obstacles.length === 0 ? `To attach it with its rows, list ${name} in adopt` : "Make it fit";
  note(context, "error", name, `${what}. ${advice}, or rename or drop it by hand.`, stranger);
  return false;
}

function size({ relkind, rows, bytes }: Stranger): string {
  const kinds: Record<string, string> = {
    p: "a partitioned table",
    f: "a foreign table",
    v: "a view",
    m: "a materialized view",
    i: "an index",
    S: "a sequence",
    c: "a type",
  };
  const count = rows < 0 ? "never analysed" : `about ${Math.round(rows)} rows`;
  return `${kinds[relkind] ?? "a table"}, ${count}, ${bytes} bytes`;
}
