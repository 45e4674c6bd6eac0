/** The policy of one level of a tree: read once, applied to every table of the level. */
import { MAX_LEVELS, partitionKey, record } from "../level";
import type { DesiredSet, RetiredBelow } from "../model";
import { type Naming, resolveNaming, strategyWord } from "../names";
import { attempt } from "../values";
import { readTemplates, type Templates } from "./entries";
import { strategyRule } from "./explicit";
import { type Inputs, needsUnknown, readLevel } from "./inputs";
import { type Partitioning, resolvePartitioning } from "./partitioning";
import {
  type AgedPeriod,
  agedPeriods,
  closedAt,
  readMoments,
  resolveSchedule,
  retiredRange,
  type Schedule,
  standInAxis,
} from "./periods";
import { fail, type Report, within } from "./reader";

/** Where the policy of the levels below the set's own stands. */
export const BELOW = "subPartitionBy";

/** What the inputs of one level come to. */
export interface LevelPolicy {
  /** Property in which it stands; empty for the set itself. */
  path: string;
  inputs: Partial<Inputs>;
  partitioning: Partitioning;
  schedule?: Schedule;
  aged: AgedPeriod[];
  naming?: Naming;
  templates?: Templates;
  retired?: DesiredSet["retired"];
  below?: LevelPolicy;
}

/** What a level takes over from those above. */
interface Above {
  path: string;
  /** Levels down to this one. */
  depth: number;
  /** Single RANGE key columns of the levels above: their periods are divided already. */
  rangeColumns: string[];
}

const TOP: Above = { path: "", depth: 1, rangeColumns: [] };

/** Resolves the policy of a set; undefined when its partition key is wrong (then reported) or unknown. */
export function resolvePolicy(
  inputs: Partial<Inputs>,
  old: Record<string, unknown>,
  report: Report,
): LevelPolicy | undefined {
  return resolveLevel(inputs, old, report, TOP);
}

function resolveLevel(
  inputs: Partial<Inputs>,
  old: Record<string, unknown>,
  report: Report,
  above: Above,
): LevelPolicy | undefined {
  const partitioning = resolvePartitioning(inputs, report);
  const below = resolveBelow(inputs, old, report, {
    path: above.path === "" ? BELOW : `${above.path}.${BELOW}`,
    depth: above.depth + 1,
    rangeColumns: [...above.rangeColumns, ...rangeColumn(partitioning)],
  });
  if (partitioning === undefined) {
    const standIn = standInAxis(inputs, report);
    if (standIn !== undefined) readMoments(inputs, standIn, report);
    return undefined;
  }
  refuseMisplaced(inputs, partitioning, report);
  refuseDivided(partitioning, above, report);
  const { stretches } = partitioning;
  const schedule = stretches && resolveSchedule(inputs, stretches, property(old.window, "from"), report);
  const aged = schedule === undefined ? [] : agedPeriods(schedule, report);
  const naming = attempt(() => resolveNaming(inputs.naming, partitioning));
  if ("reason" in naming) fail(report, "naming", naming.reason);
  const templates = "value" in naming ? readTemplates(naming.value, inputs.naming, partitioning, report) : undefined;
  return {
    path: above.path,
    inputs,
    partitioning,
    schedule,
    aged,
    naming: "value" in naming ? naming.value : undefined,
    templates,
    retired: schedule && retiredRange(schedule, aged),
    below,
  };
}

/** The level below; `asOf` is the one of the level above unless it has its own. */
function resolveBelow(
  { subPartitionBy, asOf }: Partial<Inputs>,
  old: Record<string, unknown>,
  report: Report,
  above: Above,
): LevelPolicy | undefined {
  if (subPartitionBy === undefined) return undefined;
  if (above.depth > MAX_LEVELS)
    return fail(report, BELOW, `a table can be divided on ${MAX_LEVELS} levels; this one would be another`);
  const unclear =
    asOf === undefined && [...report.unknown, ...report.failures.map((one) => one.property)].includes("asOf");
  return within(report, BELOW, (own) => {
    // What is wrong with the asOf of the level above has been said there.
    if (unclear) own.unknown.push("asOf");
    const inputs = { ...(asOf === undefined ? {} : { asOf }), ...readLevel(subPartitionBy, own) };
    return resolveLevel(inputs, record(property(old, BELOW)), own, above);
  });
}

/** Properties that only a RANGE policy with periods can follow. */
function refuseMisplaced(inputs: Partial<Inputs>, { strategy, stretches }: Partitioning, report: Report): void {
  if (strategy !== "list" && inputs.removed !== undefined)
    fail(report, "removed", `is for LIST policies, not ${strategyWord(strategy)}`);
  if (strategy === "hash" && inputs.defaultPartition === true)
    fail(report, "defaultPartition", "HASH has no DEFAULT partition");
  if (stretches !== undefined) return;
  if (inputs.window !== undefined) fail(report, "window", strategyRule(strategy));
  for (const key of ["lifecycle", "pins"] as const)
    if ((inputs[key] ?? []).length > 0) fail(report, key, strategyRule(strategy));
}

/** A window of periods is the same in every table of a level, but these tables hold different ranges of the key. */
function refuseDivided({ stretches, keyColumns }: Partitioning, { rangeColumns }: Above, report: Report): void {
  const [column] = keyColumns;
  if (stretches === undefined || column === undefined || !rangeColumns.includes(column)) return;
  const rule = `${column} is the RANGE key of a level above, whose partitions hold different periods`;
  fail(report, "partitionBy.range.every", `${rule}: use shorter periods there, or list the partitions in partitions`);
}

function rangeColumn(partitioning: Partitioning | undefined): string[] {
  return partitioning?.strategy === "range" ? partitioning.keyColumns : [];
}

/** What the levels below give up, for the plan. */
export function retiredBelow(policy: LevelPolicy | undefined): RetiredBelow | undefined {
  if (policy === undefined) return undefined;
  const { partitioning, retired, schedule } = policy;
  const below = retiredBelow(policy.below);
  return {
    partitionBy: partitionKey(partitioning),
    ...(retired === undefined ? {} : { retired }),
    ...(schedule === undefined ? {} : { closedAt: closedAt(schedule) }),
    ...(below === undefined ? {} : { below }),
  };
}

/** A policy may list its partitions one by one; without such a list only the policy can tell which there are. */
export function refuseNoPartitions(policy: LevelPolicy, report: Report): void {
  const { strategy, lists, modulus } = policy.partitioning;
  if (policy.inputs.partitions !== undefined || needsUnknown(report)) return;
  const rule = "is required unless the partitions are listed in partitions";
  if (strategy === "list" && lists === undefined) fail(report, "partitionBy.list.values", rule);
  if (strategy === "hash" && modulus === undefined) fail(report, "partitionBy.hash.partitions", rule);
}

/** A property of a plain object; undefined for anything else. */
export function property(value: unknown, key: string): unknown {
  return record(value)[key];
}

/** Without periods nothing says which partitions are closed. */
export function refuseNeverClosed(inputs: Partial<Inputs>, policy: LevelPolicy, report: Report): void {
  const closes = ({ partitioning, below }: LevelPolicy): boolean =>
    partitioning.stretches !== undefined || (below !== undefined && closes(below));
  if (inputs.storage?.closed === undefined || closes(policy)) return;
  fail(report, "storage.closed", "needs partitionBy.range.every, on any level: asOf says which periods are closed");
}
