/** Decisions about what leaves: interrupted detaches, the tiers detached and dropped, retired periods, the unmanaged. */
import { boundKey, describeBound, sameBound } from "../bounds";
import { isRetired } from "../difference";
import { isDeclared } from "../level";
import type { ActualPartition } from "../model";
import { OverlapIndex } from "../overlap";
import { join } from "../policy/reader";
import type { Finding } from "../steps";
import { type Context, type Declared, knownChild, note, oidOf, ownChild, qualified } from "./context";
import { type DraftBuilder, stepId } from "./drafts";

/** Unmanaged children are named one by one up to this number, then only counted. */
const NAMED_UNMANAGED = 20;

/** Finishes every interrupted detach: until then the parent refuses the next one, and the range stays taken. */
export function finalizePending({ actual, drafts }: Context, build: DraftBuilder): void {
  for (const child of actual.children) if (child.state === "pending") drafts.finalize.push(build.finalize(child));
}

/** The steps that must have been done before a pending child is an ordinary table. */
export function afterFinalize(context: Context, table: ActualPartition): string[] {
  return table.state === "pending" ? [stepId("finalizeDetach", context.desired, table)] : [];
}

/** A partition whose declared tier is `detached`: attached ones are detached, everything else is as declared. */
export function decideDetached(context: Context, build: DraftBuilder, declared: Declared): void {
  const { name } = declared;
  const child = ownChild(context, name) ?? knownChild(context, name);
  if (child === undefined) {
    context.unchanged.push(name);
    return;
  }
  if (isMisfit(context, declared, child)) return;
  context.handled.add(child.oid);
  if (child.state === "pending") return;
  context.drafts.detaches.push(build.detach(child, tierReason(context, name, "detached")));
}

/** A partition whose declared tier is `dropped`: never a table that is not known to be it. */
export function decideDropped(context: Context, build: DraftBuilder, declared: Declared): void {
  const { name } = declared;
  const child = ownChild(context, name) ?? knownChild(context, name);
  const table = child ?? knownDetached(context, name);
  const reason = tierReason(context, name, "dropped");
  if (table !== undefined) {
    if (isMisfit(context, declared, table)) return;
    context.handled.add(table.oid);
    remove(context, build, table, reason);
    return;
  }
  const stranger = context.strangerByName.get(name);
  if (stranger === undefined) {
    context.unchanged.push(name);
    return;
  }
  const who = `${qualified(stranger)} has the name of a partition that is given up, but the state does not know it`;
  note(context, "warning", name, `${who}; it is left alone. Drop it by hand if it is not needed.`, stranger);
}

export function knownDetached(
  { known, knownOids, detachedByOid, detachedByName }: Context,
  name: string,
): ActualPartition | undefined {
  const oid = oidOf(known, name);
  const table = (oid === undefined ? undefined : detachedByOid.get(oid)) ?? detachedByName.get(name);
  return table !== undefined && knownOids.has(table.oid) ? table : undefined;
}

function remove({ drafts, desired }: Context, build: DraftBuilder, table: ActualPartition, reason: string): void {
  const before = {
    live: () => {
      drafts.detaches.push(build.detach(table, reason));
      return [stepId("detach", desired, table)];
    },
    pending: () => [stepId("finalizeDetach", desired, table)],
    detached: () => [],
  }[table.state]();
  drafts.drops.push(build.drop(table, reason, before));
  // What was detached from it earlier holds rows of the same range, and nobody would know of it any more.
  for (const former of detachedBelow(table)) drafts.drops.push(build.drop(former, reason, []));
}

/** Tables that are known to have been detached from a partition or from what is below it. */
export function detachedBelow({ level }: ActualPartition): ActualPartition[] {
  if (level === undefined) return [];
  const inside = [...level.children, ...level.detached].flatMap(detachedBelow);
  return [...level.detached, ...inside];
}

/** The policy gave up the rows of one range; a table with another bound holds other rows, and may have to be split first. */
export function isMisfit(context: Context, { name, partition }: Declared, table: ActualPartition): boolean {
  if (sameBound(table.bound, partition, context.types)) return false;
  context.misfits.push({ declared: { name, partition }, table });
  return true;
}

/** Those whose rows no reorganization takes. */
export function refuseMisfits(context: Context): void {
  for (const { declared, table } of context.misfits.filter(({ table }) => !context.handled.has(table.oid))) {
    context.handled.add(table.oid);
    const { name, partition } = declared;
    const there = `${qualified(table)} holds ${describeBound(table.bound)}`;
    const reason = `${there}, but ${describeBound(partition)} is to be ${partition.tier}. Give it its declared bound back, or declare it in partitions as it is.`;
    note(context, "error", name, reason, table);
  }
}

/** Why a partition has its tier: the rule of the lifecycle, the declaration, or that there is none any more. */
export function tierReason({ desired }: Context, name: string, tier: string): string {
  const reasons = desired.tierReasons ?? {};
  const reason = Object.hasOwn(reasons, name) ? reasons[name] : undefined;
  if (reason !== undefined) return reason;
  return desired.partitions[name]?.removed ? `no longer declared (removed: ${tier})` : `declared as ${tier}`;
}

/** Periods older than the policy keeps, which are not listed any more. What is declared to stay protects its range. */
export function decideRetired(context: Context, build: DraftBuilder): void {
  const { desired, actual, detached, knownOids, types } = context;
  const { retired } = desired;
  if (retired === undefined) return;
  const kept = context.declared.flatMap(({ partition }) =>
    partition.tier === "dropped" ? [] : [{ bound: partition }],
  );
  const index = new OverlapIndex(kept, types);
  for (const table of [...actual.children, ...detached.filter(({ oid }) => knownOids.has(oid))]) {
    const listed = isDeclared(desired, table);
    if (listed || context.handled.has(table.oid) || context.renamed.has(table.oid)) continue;
    if (context.misfits.some((misfit) => misfit.table === table)) continue;
    // A period of the grid may be another stack's partition; without a record nothing says that it is ours.
    if (desired.unmanaged === "ignore" && !knownOids.has(table.oid)) continue;
    if (!isRetired(table.bound, retired) || index.find(table.bound).length > 0) continue;
    context.handled.add(table.oid);
    remove(context, build, table, `older than the policy keeps (before ${retired.before})`);
  }
}

/** Children that nobody declared. True when they forbid every change. */
export function reportUnmanaged(context: Context): boolean {
  const { actual, desired, handled } = context;
  const left = actual.children.filter(({ oid }) => !handled.has(oid));
  if (desired.unmanaged === "ignore" || left.length === 0) return false;
  const severity: Finding["severity"] = desired.unmanaged === "refuse" ? "error" : "warning";
  const advice = 'Declare it in partitions, or set unmanaged to "ignore".';
  for (const child of left.slice(0, NAMED_UNMANAGED)) {
    const attached = child.state === "pending" ? "half detached from" : "attached to";
    const what = `${qualified(child)} (${describeBound(child.bound)}) is ${attached} ${qualified(context.parent)} and is not declared`;
    note(context, severity, child.name, `${what}. ${leavingAdvice(child)}${advice}`, child);
  }
  const more = left.length - NAMED_UNMANAGED;
  if (more > 0)
    context.findings.push({
      severity,
      path: join(context.path, "partitions"),
      reason: `${more} more partitions are not declared. ${advice}`,
    });
  return severity === "error";
}

/**
 * A group of a LIST that is not declared any more says nothing of what is to become of its rows. (A period that nobody
 * lists is no such choice: the lifecycle says when it leaves.)
 */
function leavingAdvice({ name, bound }: ActualPartition): string {
  if (!("values" in bound)) return "";
  const entry = JSON.stringify({ [name]: { values: bound.values, tier: "detached" } });
  return (
    `Its rows stay. To take it out, write partitions: ${entry}, or tier "dropped" to give up the rows; to keep them in ` +
    'another partition, add its values to that one. With removed: "detached" (or "dropped") groups that the program ' +
    "leaves out later go that way by themselves. "
  );
}

/** Detached before anything else: `child` holds a range that a declared partition needs. */
export function makeRoom({ drafts, desired }: Context, child: ActualPartition): string | undefined {
  const id = stepId("detach", desired, child);
  const at = drafts.detaches.findIndex((draft) => draft.id === id);
  const [draft] = at < 0 ? [] : drafts.detaches.splice(at, 1);
  if (draft !== undefined) drafts.making.push(draft);
  return draft !== undefined || drafts.making.some((done) => done.id === id) ? id : undefined;
}

/** The key by which a declared partition is looked for among children. */
export function keyOf(context: Context, { partition }: Declared): string {
  return boundKey(partition, context.types);
}
