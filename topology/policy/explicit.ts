/** `partitions`: the ones that the program lists itself, beside the policy or in place of one of its entries. */
import { keyOfDate } from "../axis";
import {
  boundKey,
  canonicalBound,
  columnsOf,
  compareEnds,
  describeBound,
  endsAreSure,
  type KeyTypes,
  type RawValue,
} from "../bounds";
import type { PartitionBound, Strategy } from "../model";
import { strategyWord } from "../names";
import { OverlapIndex, overlappingPairs } from "../overlap";
import { isAttached } from "../tiers";
import { attempt } from "../values";
import type { Entry } from "./entries";
import type { ExplicitInputs, Inputs } from "./inputs";
import type { Partitioning } from "./partitioning";
import { fail, join, type Report } from "./reader";

/** An explicit entry; without a tier of its own it follows the policy's entry with the same bound, else it is live. */
export type Explicit = Omit<Entry, "tier"> & { tier?: Entry["tier"] };

/** What entries say beside their bound. */
const BESIDES = new Set(["tier", "schema", "partitionBy", "partitions", "leaf", "removed", "generated"]);

const FORMS: Record<Strategy, { keys: string[]; rule: string }> = {
  range: { keys: ["from", "to"], rule: "a RANGE partition has from and to" },
  list: { keys: ["values"], rule: "a LIST partition has values" },
  hash: { keys: ["modulus", "remainder"], rule: "a HASH partition has modulus and remainder" },
};

/** Reads the explicit partitions; those that are wrong are reported and left out. */
export function explicitEntries(inputs: Partial<Inputs>, partitioning: Partitioning, report: Report): Explicit[] {
  return [...(inputs.partitions ?? [])].flatMap(([name, declared]) => {
    const path = join("partitions", name);
    const touches = (other: string) => other.startsWith(path) && !/[\p{L}\p{N}_$-]/u.test(other[path.length] ?? "");
    if (report.failures.some(({ property }) => touches(property)) || report.unknown.some(touches)) return [];
    const bound = readBound(declared, partitioning, path, report);
    if (bound === undefined) return [];
    const { tier, schema, partitionBy, partitions, leaf, removed } = declared;
    const generated = declared.generated && { generated: Object.fromEntries(declared.generated) };
    return [
      {
        name,
        schema,
        bound,
        path,
        explicit: true,
        tier,
        ...generated,
        inside: { partitionBy, partitions, leaf, removed },
      },
    ];
  });
}

function readBound(
  declared: Partial<ExplicitInputs>,
  partitioning: Partitioning,
  path: string,
  report: Report,
): PartitionBound | undefined {
  const given = Object.keys(declared).filter((key) => !BESIDES.has(key));
  const { keys, rule } = FORMS[partitioning.strategy];
  if (declared.default === true && given.length === 1) {
    if (partitioning.strategy !== "hash") return { default: true };
    return fail(report, join(path, "default"), "HASH has no DEFAULT partition");
  }
  if (given.length !== keys.length || !keys.every((key) => given.includes(key)))
    return fail(report, path, `${rule}${partitioning.strategy === "hash" ? "" : ", or default: true"}`);
  if (declared.from !== undefined && declared.to !== undefined)
    return readRange({ from: declared.from, to: declared.to }, partitioning, path, report);
  if (declared.values !== undefined) return readValues(declared.values, partitioning, path, report);
  if (declared.modulus === undefined || declared.remainder === undefined) return undefined;
  if (declared.remainder < declared.modulus) return { modulus: declared.modulus, remainder: declared.remainder };
  return fail(report, join(path, "remainder"), `must be below the modulus ${declared.modulus}`);
}

function readRange(
  ends: { from: RawValue | RawValue[]; to: RawValue | RawValue[] },
  { keyColumns, keyTypes, timezone, stretches }: Partitioning,
  path: string,
  report: Report,
): PartitionBound | undefined {
  const before = report.failures.length;
  const read = (key: "from" | "to") => {
    const value = [ends[key]].flat();
    const place = join(path, key);
    if (value.length !== keyColumns.length)
      return fail(report, place, `needs one value for each key column: ${keyColumns.join(", ")}`);
    const bound = attempt(() => {
      const spelled = value.map((one) => keyOfDate(stretches?.[0]?.grid, one));
      const [only] = spelled;
      const datum = spelled.length === 1 && only !== undefined ? only : spelled;
      return canonicalBound({ from: datum, to: datum }, keyTypes, timezone);
    });
    if ("reason" in bound) return fail(report, place, bound.reason);
    return "from" in bound.value ? bound.value.from : undefined;
  };
  const from = read("from");
  const to = read("to");
  if (from === undefined || to === undefined || report.failures.length > before) return undefined;
  const order = compareEnds(from, to, keyTypes);
  if (order === 0 || (order > 0 && endsAreSure(from, to, keyTypes)))
    return fail(
      report,
      join(path, "to"),
      `must be above from (${columnsOf(from).join(", ")}): an empty range holds no row`,
    );
  return { from, to };
}

function readValues(
  values: RawValue[],
  { keyTypes, timezone }: Partitioning,
  path: string,
  report: Report,
): PartitionBound | undefined {
  const taken = new Set<string>();
  for (const [index, value] of values.entries()) {
    const place = `${join(path, "values")}[${index}]`;
    const one = attempt(() => canonicalBound({ values: [value] }, keyTypes, timezone));
    if ("reason" in one) return fail(report, place, one.reason);
    const key = boundKey(one.value, keyTypes);
    if (taken.has(key)) return fail(report, place, `the value ${JSON.stringify(value)} stands twice`);
    taken.add(key);
  }
  return canonicalBound({ values }, keyTypes, timezone);
}

/** Puts explicit entries in the place of policy entries with the same bound, or beside them; reports collisions. */
export function mergeEntries(
  policy: readonly Entry[],
  explicit: readonly Explicit[],
  types: KeyTypes,
  report: Report,
): Entry[] {
  const byKey = new Map(explicit.map((entry) => [boundKey(entry.bound, types), entry]));
  const used = new Set<Explicit>();
  const replaced = policy.map((entry): Entry => {
    const own = byKey.get(boundKey(entry.bound, types));
    if (own === undefined) return entry;
    used.add(own);
    return { ...entry, ...own, tier: own.tier ?? entry.tier, explicit: own.tier !== undefined };
  });
  const added = explicit
    .filter((entry) => !used.has(entry))
    .map((entry): Entry => ({ ...entry, tier: entry.tier ?? "live" }));
  reportOverlaps(replaced, added, types, report);
  reportFactors([...replaced, ...added], report);
  return [...replaced, ...added];
}

/** Only live partitions take up room in the parent; a detached or dropped one may cover what others hold now. */
function reportOverlaps(policy: readonly Entry[], added: readonly Entry[], types: KeyTypes, report: Report): void {
  const live = (entry: Entry) => isAttached(entry.tier);
  const index = new OverlapIndex(policy.filter(live), types);
  for (const entry of added.filter(live)) {
    const [hit] = index.find(entry.bound);
    if (hit !== undefined) fail(report, entry.path, overlap(entry, hit));
  }
  for (const [first, second] of overlappingPairs(added.filter(live), types))
    fail(report, second.path, overlap(second, first));
}

function overlap(entry: Entry, other: Entry): string {
  return (
    `${describeBound(entry.bound)} overlaps ${JSON.stringify(other.name)} (${describeBound(other.bound)}); ` +
    "every row must belong to one partition only"
  );
}

/** PostgreSQL wants every modulus to be a factor of the next larger one. */
function reportFactors(entries: readonly Entry[], report: Report): void {
  const byModulus = new Map<number, Entry>();
  for (const entry of entries)
    if (isAttached(entry.tier) && "modulus" in entry.bound) byModulus.set(entry.bound.modulus, entry);
  const chain = [...byModulus].sort(([a], [b]) => a - b);
  for (const [at, [modulus, entry]] of chain.entries()) {
    const smaller = chain[at - 1];
    if (smaller === undefined || modulus % smaller[0] === 0) continue;
    const place = entry.explicit ? entry : smaller[1];
    fail(report, place.path, `the modulus ${smaller[0]} is not a factor of ${modulus}, as PostgreSQL wants it to be`);
  }
}

/** What is wrong with asking for a kind of policy that the strategy does not have. */
export function strategyRule(strategy: Strategy): string {
  return strategy === "range"
    ? "needs partitionBy.range.every"
    : `is for RANGE policies, not ${strategyWord(strategy)}`;
}
