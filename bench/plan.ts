/**
 * `npm run bench:plan`: a set of 5,000 partitions, and of 10,000 through the engine.
 *
 * - a fresh tree of 5,000, by this module and by pg-partsmith (as libraries, in process) and by plain statements;
 * - the plan that finds nothing to do there, and the catalog reads that it takes;
 * - BENCH_ADDED (default 500) more on the same tree with rows in it, beside plain LIKE + ATTACH in the same transactions
 *   and in one for each;
 * - the preview of 10,000 that finds nothing to do, beside one resource with the same properties whose provider does nothing.
 *
 * Rivals take turns in the same run, so that the ratios hold when the machine's speed drifts. BENCH_ROUNDS: default 5, of
 * plans and previews; BENCH_PARTITIONS: default 5000; BENCH_RIVAL=0: without pg-partsmith, whose fresh tree takes
 * three of the eight minutes.
 */
import "../test/support/in-memory";

import { mkdir, writeFile } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { median, table } from "./support/figures";
import { measurePreviews, type PreviewFigures } from "./support/previews";
import { PARTSMITH } from "./support/rivalTools";
import { LIVE_ROUNDS, measureTrees, type TreeFigures } from "./support/trees";

/** Set by `test/support/in-memory` before anything else is imported. */
const IN_MEMORY = process.env.PGPARTITION_TEST_ROOT !== undefined;

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const ADDED = Number(process.env.BENCH_ADDED ?? 500);
const PARTITIONS = Number(process.env.BENCH_PARTITIONS ?? 5000);
const RIVAL = process.env.BENCH_RIVAL !== "0";
/** 10,000 leaves, and what is above them. */
const SHAPE = { tenants: 100, days: PARTITIONS / 50 };

type Row = { figure: string; values: number[] };

interface Limit {
  name: string;
  most: number;
  found: number;
}

function ratios(ours: number[], theirs: number[]): number[] {
  return ours.map((value, round) => value / (theirs[round] ?? Number.NaN));
}

function rowsOf({ fresh, plan, live }: TreeFigures): Record<"fresh" | "plan" | "live", Row[]> {
  const rival = <T>(rows: T[]): T[] => (RIVAL ? rows : []);
  return {
    fresh: [
      { figure: "this module, s", values: [fresh.own] },
      { figure: "plain PARTITION OF, s", values: [fresh.bare] },
      ...rival([{ figure: "pg-partsmith, s", values: [fresh.partsmith ?? Number.NaN] }]),
    ],
    plan: [
      { figure: "this module, s", values: plan.own },
      ...rival([
        { figure: "pg-partsmith, s", values: plan.partsmith },
        { figure: "this module ÷ pg-partsmith", values: ratios(plan.own, plan.partsmith) },
      ]),
    ],
    live: [
      { figure: "this module, s", values: live.own },
      { figure: "plain LIKE + ATTACH, the same transactions, s", values: live.batches },
      { figure: "plain LIKE + ATTACH, each in its own, s", values: live.single },
      ...rival([{ figure: "pg-partsmith, s", values: live.partsmith }]),
      { figure: "this module ÷ plain, the same transactions", values: ratios(live.own, live.batches) },
      { figure: "this module ÷ plain, each in its own", values: ratios(live.own, live.single) },
      ...rival([
        { figure: "pg-partsmith ÷ plain, each in its own (first round)", values: ratios(live.partsmith, live.single) },
      ]),
    ],
  };
}

function limitsOf({ fresh, plan, live, reads }: TreeFigures, previews: PreviewFigures): Limit[] {
  return [
    { name: "plan, s", most: 0.4, found: median(plan.own) },
    { name: "catalog reads of a plan", most: 6, found: reads.own },
    { name: "fresh tree, s", most: 75, found: fresh.own },
    { name: "live tree ÷ plain, the same transactions", most: 1.05, found: median(ratios(live.own, live.batches)) },
    { name: "preview ÷ floor", most: 1.2, found: median(ratios(previews.own, previews.floor)) },
  ];
}

function textOf(trees: TreeFigures, previews: PreviewFigures, load: number): string {
  const { fresh, plan, live } = rowsOf(trees);
  const { own, partsmith } = trees.reads;
  const limits = limitsOf(trees, previews).map(
    ({ name, most, found }) =>
      `| ${name} | ${found.toFixed(2)} | ${most} | ${found <= most ? "kept" : "**not kept**"} |`,
  );
  return [
    `# ${PARTITIONS} partitions in process, ${SHAPE.tenants * SHAPE.days} through the engine`,
    "",
    `${new Date().toISOString().slice(0, 10)}, PostgreSQL 18, Node.js ${process.version}, ${RIVAL ? `pg-partsmith ${PARTSMITH}, ` : ""}${cpus().length} cores, load ${load.toFixed(1)} before`,
    `and ${(loadavg()[0] ?? 0).toFixed(1)} after. Ratios are of the same round, limits of medians. Databases and stacks are ${IN_MEMORY ? "in memory" : "on disk"}.`,
    "",
    "| limit | found | at most | |",
    "|---|---|---|---|",
    ...limits,
    "",
    `## A fresh tree of ${PARTITIONS}`,
    "",
    table(fresh),
    "",
    `## The plan for it, when nothing is to be done (${ROUNDS} rounds)`,
    "",
    `Policy to partitions, reading, planning. Queries of one plan: ${own}${partsmith === undefined ? "" : `; pg-partsmith ${partsmith}`}.`,
    "",
    table(plan),
    "",
    `## ${ADDED} more, with rows in each partition that is there (${LIVE_ROUNDS} rounds)`,
    "",
    "Reading, planning and executing, of which this module plans for all partitions.",
    "",
    table(live),
    "",
    `## Preview without changes, ${SHAPE.tenants} partitions of ${SHAPE.days} each (${ROUNDS} rounds)`,
    "",
    "The floor is a stack with one resource of the same properties, from a provider that does nothing.",
    "",
    table([
      { figure: "this module, s", values: previews.own },
      { figure: "floor, s", values: previews.floor },
      { figure: "this module ÷ floor", values: ratios(previews.own, previews.floor) },
    ]),
    "",
  ].join("\n");
}

async function main(): Promise<void> {
  const [load = 0] = loadavg();
  const log = (text: string) => void process.stderr.write(`${text}\n`);
  const trees = await measureTrees({ partitions: PARTITIONS, added: ADDED, rounds: ROUNDS, rival: RIVAL }, log);
  const previews = await measurePreviews(SHAPE, ROUNDS, log);
  const text = textOf(trees, previews, load);
  process.stdout.write(text);
  await mkdir(join(__dirname, "results"), { recursive: true });
  await writeFile(join(__dirname, "results", "plan.md"), text);
  if (limitsOf(trees, previews).some(({ found, most }) => found > most)) process.exitCode = 1;
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    process.exit(1);
  },
);
