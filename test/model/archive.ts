/** Random lives of a table of months whose old rows go into an archive. Everything generated is plain data. */
import fc from "fast-check";
import type { Properties } from "../../provider/values";

const small = (max: number) => fc.nat({ max });
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(model, { noNullPrototype: true });

/** Whole numbers are days since 2026-01-01, and months. */
export interface ArchiveSpec {
  asOf: number;
  /** Age in months at which partitions go into each tier; undefined: they never do. */
  exported?: number;
  detached?: number;
  archived?: number;
  /** First month of a pin, and how many it has. */
  pin?: { from: number; months: number };
  every: number;
  format: "text" | "csv";
  fallback: boolean;
}

/** What happens before an `up`, and to it. */
export interface ArchiveStep {
  /** Days of new rows. */
  rows: number[];
  /** Which rows are changed, and which deleted, modulo those that are there. */
  changed: number[];
  deleted: number[];
  next: Partial<ArchiveSpec>;
  /** After how many of its statements a first attempt is killed. */
  kill?: number;
  /** Nobody runs the same program again after that. */
  isLeft: boolean;
  refresh: boolean;
}

const age = fc.option(small(2), { nil: undefined, freq: 5 });
const pin = fc.option(record({ from: small(3), months: fc.integer({ min: 1, max: 2 }) }), { nil: undefined, freq: 2 });
const SPEC = {
  asOf: small(5),
  exported: age,
  detached: fc.option(small(2), { nil: undefined, freq: 2 }),
  archived: age,
  pin,
  every: fc.constantFrom(0, 0, 0, 0, 1, 2),
  format: fc.constantFrom("text", "text", "csv"),
  fallback: fc.constantFrom(false, false, true),
} as const;

const days = fc.array(fc.integer({ min: -10, max: 150 }), { maxLength: 8 });

const step: fc.Arbitrary<ArchiveStep> = record<ArchiveStep>({
  rows: days,
  changed: fc.array(small(100), { maxLength: 2 }),
  deleted: fc.array(small(100), { maxLength: 1 }),
  next: fc.record<Partial<ArchiveSpec>>(SPEC as never, { requiredKeys: [], noNullPrototype: true }),
  kill: fc.option(small(120), { nil: undefined, freq: 2 }),
  isLeft: fc.boolean(),
  refresh: fc.boolean(),
});

export interface ArchiveSequence {
  /** Days of rows that are there before anything is old. */
  rows: number[];
  steps: ArchiveStep[];
}

export const archiveSequences: fc.Arbitrary<ArchiveSequence> = record<ArchiveSequence>({
  rows: fc.array(fc.integer({ min: 0, max: 120 }), { minLength: 5, maxLength: 15 }),
  steps: fc.array(step, { minLength: 2, maxLength: 6 }),
});

/** Four months, all of them live. */
export const YOUNG: ArchiveSpec = { asOf: 3, every: 0, format: "text", fallback: false };

const INTERVALS = ["month", "2 months", "week"];

const month = (number: number) => new Date(Date.UTC(2026, number, 1)).toISOString().slice(0, 7);

/** Tiers come in their order, whatever ages were chosen. */
function lifecycleOf({ exported, detached, archived }: ArchiveSpec): Properties[] {
  const rules: Properties[] = [];
  let least = 0;
  for (const [tier, months] of Object.entries({ exported, detached, archived })) {
    if (months === undefined) continue;
    least = Math.max(least + (rules.length > 0 ? 1 : 0), months);
    rules.push({ after: `${least} months`, tier });
  }
  return rules;
}

/** The inputs of a PartitionSet. */
export function archiveProgram(spec: ArchiveSpec, schema: string, store: string): Properties {
  const { asOf, pin: pinned, every, format, fallback } = spec;
  return {
    schema,
    table: "t",
    partitionBy: { range: { column: "at", type: "timestamptz", every: INTERVALS[every] ?? "month" } },
    window: { from: month(0), ahead: 1 },
    asOf: month(asOf),
    lifecycle: lifecycleOf(spec),
    pins: pinned === undefined ? [] : [{ from: month(pinned.from), to: month(pinned.from + pinned.months) }],
    defaultPartition: fallback,
    archive: { store, format },
  };
}
