/** The steps of a move: the reorganization itself, and what happens to its targets afterwards. */
import { compareBounds, describeBound } from "../bounds";
import { declaredAbove, ownExpressionsLost } from "../generated";
import { besideBound, schemaOf } from "../level";
import type { DesiredPartition, NewPartition, Reorganization } from "../model";
import { COPY_BYTES_PER_SECOND, MOVE_AT_ONCE_BYTES } from "../reorganization";
import type { ReorganizationMethod } from "../steps";
import { answered, ask, type Context, inTree, note, oidOf, qualified } from "./context";
import type { DraftBuilder } from "./drafts";
import { expressionsRefused, freed, insideTaken, refuseOverlap } from "./live";
import type { Move, Target } from "./moves";
import { endingsBelow, sourceOf, withBelow } from "./subtrees";
import { resumed } from "./unfinished";

/** Drafts the reorganization, and for rows that do not stay the detach and drop that follow it. */
export function draftMove(context: Context, build: DraftBuilder, move: Move): void {
  const { drafts, types } = context;
  const targets = [...move.targets].sort((a, b) => compareBounds(a.bound, b.bound, types));
  if (scattered(context, move, targets) || takesOthers(context, targets)) return;
  const room = roomFor(context, move, targets);
  if (room === undefined) return;
  const reorganization = reorganizationOf(context, move, targets);
  if (losesExpressions(context, move, reorganization)) return;
  const way = wayOf(context, move, reorganization);
  const reason = `${whatText(move, targets)}; ${way.how}`;
  const endings = move.sources.flatMap((source) => endingsBelow(context, source));
  drafts.unfinished.push(...endings);
  const { madeBy } = move;
  const renames = drafts.renames.filter(({ oid }) => move.sources.some((source) => source.oid === oid));
  const before = [...endings, ...renames].map(({ id }) => id);
  const after = [...new Set([...room, ...before, ...(madeBy === undefined ? [] : [madeBy])])];
  const draft = {
    ...build.reorganize(reorganization, way.method, reason, way.size, after),
    ...(madeBy === undefined ? {} : { madeBy }),
  };
  drafts.reorganizations.push(draft);
  if (move.withDefault) drafts.additions = drafts.additions.filter(({ bound }) => !(bound && "default" in bound));
  const leaving = targets.flatMap(({ name, bound, leaves }) =>
    leaves === undefined ? [] : [{ name, bound, ...leaves }],
  );
  for (const { name, bound, tier, reason: why } of leaving) {
    drafts.detaches.push(build.detachMade(name, bound, why, draft.id));
    if (tier !== "detached") drafts.drops.push(build.dropMade(name, why, draft.id, tier));
  }
  const gone = new Set([...leaving, ...(move.why === undefined ? [] : targets)].map(({ name }) => name));
  context.unchanged = context.unchanged.filter((name) => !gone.has(name));
  // What is below an exchanged table is made with it; below a DEFAULT that keeps its table it is looked at afterwards.
  for (const [name, { oid }] of context.settled)
    if (move.sources.some((source) => source.oid === oid)) context.settled.delete(name);
}

function declaredAs({ desired }: Pick<Context, "desired">, name: string): DesiredPartition | undefined {
  return Object.hasOwn(desired.partitions, name) ? desired.partitions[name] : undefined;
}

function reorganizationOf({ desired }: Context, { sources }: Move, targets: readonly Target[]): Reorganization {
  return {
    sources: sources.map(sourceOf),
    targets: targets.map(({ name, bound, level, leaves }) => {
      const declared = leaves === undefined ? declaredAs({ desired }, name) : undefined;
      const generated = { ...declaredAbove(desired, sources), ...declared?.generated };
      const own = Object.keys(generated).length > 0 && leaves === undefined ? { generated } : {};
      const beside = declared && besideBound(desired, name, declared);
      return { name, bound, ...beside, ...own, ...(level && { level }) };
    }),
  };
}

/** The steps that must come first so that names and bounds of the targets are free; undefined when they stay taken (then reported). */
function roomFor(context: Context, { sources, madeBy }: Move, targets: readonly Target[]): string[] | undefined {
  const giving = new Set(
    sources.flatMap((source) => [source, ...(sourceOf(source).below ?? [])]).map(({ oid }) => oid),
  );
  const after: string[] = [];
  for (const { name, bound, level } of targets) {
    const ids = nameFor(context, name, giving);
    if (insideTaken(context, name, level, giving)) return undefined;
    // The step that brings the table into its place has seen to it.
    const found = madeBy === undefined ? context.index.find(bound) : [];
    const hits = found.filter(({ oid }) => !giving.has(oid));
    const blocked = hits.filter((hit) => freed(context, hit) === undefined);
    if (blocked.length > 0)
      refuseOverlap(context, name, `${name} cannot take rows of ${describeBound(bound)}`, blocked);
    if (blocked.length > 0 || ids === undefined) return undefined;
    after.push(...ids, ...hits.flatMap((hit) => freed(context, hit) ?? []));
  }
  return [...new Set(after)];
}

function nameFor(context: Context, name: string, giving: ReadonlySet<number>): string[] | undefined {
  const { childByName, detachedByName, detachedByOid, strangerByName, drafts } = context;
  const former = detachedByOid.get(oidOf(context.known, name) ?? 0);
  const known = childByName.get(name) ?? former ?? detachedByName.get(name) ?? strangerByName.get(name);
  const taken = known ?? inTree(context, name);
  if (taken === undefined || giving.has(taken.oid)) return [];
  const away = drafts.renames.find(({ oid }) => oid === taken.oid);
  if (away !== undefined) return [away.id];
  const what = `${name} is to take over rows of other tables, but ${qualified(taken)} stands in its place`;
  const advice = "Attach, rename or drop that table by hand, then run again.";
  note(context, "error", name, `${what}. ${advice}`, taken);
  return undefined;
}

/** A reorganization makes its tables in one schema; a DEFAULT is made anew where it is. */
function scattered(context: Context, { sources }: Move, targets: readonly Target[]): boolean {
  const fallback = sources.find(({ bound }) => "default" in bound);
  const places = targets.map(({ name, bound }) => {
    const schema = fallback !== undefined && "default" in bound ? fallback.schema : schemaOf(context.desired, name);
    return { schema, name };
  });
  const [first, other] = places.filter(({ schema }, at) => places.findIndex((one) => one.schema === schema) === at);
  if (first === undefined || other === undefined) return false;
  const what = `rows of one move would go to ${qualified(first)} and ${qualified(other)}, tables in two schemas`;
  const advice = "Declare them in one schema first (partitionSchema, or schema in their entries), then what they hold.";
  note(context, "error", first.name, `${what}. ${advice}`, first);
  return true;
}

function takesOthers(context: Context, targets: readonly Target[]): boolean {
  return targets.some(({ name, leaves }) => {
    const partition = leaves === undefined ? declaredAs(context, name) : undefined;
    return partition !== undefined && expressionsRefused(context, { name, partition });
  });
}

/** Values that a partition has computed by an expression of its own are not changed by a move that nobody says it of. */
function losesExpressions(context: Context, { sources }: Move, { targets }: Reorganization): boolean {
  const [first] = targets;
  const said = targets.map((target) => ({ generated: expressionsOf(target) }));
  for (const source of sources.flatMap(withBelow)) {
    const [column] = ownExpressionsLost(source, said);
    if (column === undefined || first === undefined) continue;
    const what = `${qualified(source)} computes ${column} by an expression of its own, which would change with its rows' new place`;
    const advice = `Declare generated: {${JSON.stringify(column)}: …} in the entries (partitions) that take its rows`;
    note(context, "error", first.name, `${what}. ${advice}.`, source);
    return true;
  }
  return false;
}

/** Those of what is below it included. */
function expressionsOf({ generated, level }: Pick<NewPartition, "generated" | "level">): Record<string, string> {
  return Object.assign({}, ...(level?.partitions ?? []).map(expressionsOf), generated);
}

interface Way {
  method: ReorganizationMethod;
  size: { rows?: number; bytes?: number };
  how: string;
}

/** How rows are moved: at once while they are few, else beside the working application. */
function wayOf(context: Context, { sources, why, remakesDefault }: Move, reorganization: Reorganization): Way {
  const looks = sources.map((source) => ({ source, answer: ask(context, source) }));
  const known = looks.every(({ answer }) => answer?.found !== "unknown");
  const mayMove = context.desired.reorganize !== "copy" || looks.every(({ answer }) => answer?.found === "none");
  const bytes = sum(looks.map(({ source, answer }) => answer?.bytes ?? source.bytes));
  const size = sizeOf(sum(sources.map(({ rows }) => rows)), bytes);
  if (resumed(context, reorganization) !== undefined)
    return { method: "copyAndSwap", size, how: "goes on with the copy that an interrupted run has begun" };
  // In one transaction a DEFAULT would keep the table that is to be made anew.
  const makesDefault = remakesDefault || (why !== undefined && sources.some(({ bound }) => "default" in bound));
  if (!makesDefault && mayMove && known && bytes !== undefined && bytes <= MOVE_AT_ONCE_BYTES) {
    const moved = movedAtOnce(context, sources, reorganization);
    return { method: "moveInOneTransaction", size: moved, how: "small enough for one transaction" };
  }
  const duration = bytes === undefined ? "" : `, which takes about ${durationText(bytes / COPY_BYTES_PER_SECOND)}`;
  return { method: "copyAndSwap", size, how: `copied while the application goes on${duration}` };
}

/** In one transaction DEFAULT keeps its table, and only the rows of other partitions leave it. */
function movedAtOnce(context: Context, sources: Move["sources"], { targets }: Reorganization): Way["size"] {
  const rows = sources.map((source) => {
    if (!("default" in source.bound)) return source.rows;
    const leaving = targets.filter(({ bound }) => !("default" in bound));
    return sum(leaving.map(({ bound }) => answered(context, source, bound)?.rows));
  });
  const tables = sources.filter(({ bound }) => !("default" in bound));
  return sizeOf(sum(rows), sum(tables.map((table) => ask(context, table)?.bytes ?? table.bytes)));
}

function sizeOf(rows: number | undefined, bytes: number | undefined): Way["size"] {
  return {
    ...(rows === undefined || rows < 0 ? {} : { rows }),
    ...(bytes === undefined || bytes === 0 ? {} : { bytes }),
  };
}

function sum(values: readonly (number | undefined)[]): number | undefined {
  return values.reduce(
    (total, value) => (total === undefined || value === undefined || value < 0 ? undefined : total + value),
    0,
  );
}

function durationText(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = seconds / 60;
  return minutes < 90 ? `${Math.round(minutes)} min` : `${Math.round(minutes / 60)} h`;
}

/** `splits public.events_2024 (2024-01-01 … 2025-01-01) into 12`. */
function whatText({ sources, withDefault, why }: Move, targets: readonly Target[]): string {
  if (why !== undefined) return why;
  const tables = sources.filter(({ bound }) => !("default" in bound));
  const made = targets.filter(({ bound }) => !("default" in bound));
  const [only] = tables;
  const beside = withDefault && tables.length > 0 ? ", with rows of or for DEFAULT" : "";
  if (only === undefined) return `rows of DEFAULT ${sources.map(qualified).join()} belong to ${countText(made)}`;
  if (tables.length === 1 && made.length === 1)
    return `${qualified(only)} has ${describeBound(only.bound)} instead of the declared bound${beside}`;
  if (tables.length === 1)
    return `splits ${qualified(only)} (${describeBound(only.bound)}) into ${made.length}${beside}`;
  if (made.length === 1) return `merges ${tables.length} partitions into it${beside}`;
  return `divides ${tables.length} partitions anew into ${made.length}${beside}`;
}

function countText(made: readonly Target[]): string {
  return made.length === 1 ? "it" : `${made.length} new partitions`;
}
