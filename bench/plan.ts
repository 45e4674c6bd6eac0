/**
 * `npm run bench:plan`: a set of 5,000 partitions, and of 10,000 through the engine.
 *
 * - a fresh tree of 5,000, by this module and by pg-partsmith (as libraries, in process) and by plain statements;
 * - the plan that finds nothing to do there, and the catalog reads that it takes;
 * - BENCH_ADDED (default 250) more on the same tree with rows in it, beside plain LIKE + ATTACH in the same transactions
 *   and in one for each;
 * - the preview of 10,000 that finds nothing to do, beside one resource with the same properties whose provider does nothing.
 *
 * Rivals take turns in the same run, so that the ratios hold when the machine's speed drifts. What has been measured is
 * written down at once: a run that is cut short leaves a result that says so. BENCH_ROUNDS: default 3, of previews, and of
 * plans five times as many; BENCH_PARTITIONS: default 5000; BENCH_RIVAL=0: without pg-partsmith, whose fresh tree takes
 * three of the seven minutes.
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

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
/** They take less than a second each. */
const PLAN_ROUNDS = ROUNDS * 5;
const ADDED = Number(process.env.BENCH_ADDED ?? 250);
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

/** What has been measured so far. */
type Found = Partial<TreeFigures> & { previews?: PreviewFigures };

function withRival<T>(rows: T[]): T[] {
  return RIVAL ? rows : [];
}

/** Those of the figures that are there. */
function limitsOf({ fresh, plan, live, reads, previews }: Found): Limit[] {
  return [
    ...(plan ? [{ name: "plan, s", most: 0.4, found: median(plan.own) }] : []),
    ...(reads ? [{ name: "catalog reads of a plan", most: 6, found: reads.own }] : []),
    ...(fresh ? [{ name: "fresh tree, s", most: 75, found: fresh.own }] : []),
    ...(live
      ? [
          {
            name: "live tree ÷ plain, the same transactions",
            most: 1.05,
            found: median(ratios(live.own, live.batches)),
          },
        ]
      : []),
    ...(previews ? [{ name: "preview ÷ floor", most: 1.2, found: median(ratios(previews.own, previews.floor)) }] : []),
  ];
}

function freshRows({ own, bare, partsmith }: TreeFigures["fresh"]): Row[] {
  return [
    { figure: "this module, s", values: [own] },
    { figure: "plain PARTITION OF, s", values: [bare] },
    ...withRival([{ figure: "pg-partsmith, s", values: [partsmith ?? Number.NaN] }]),
  ];
}

function planRows({ own, partsmith }: TreeFigures["plan"]): Row[] {
  return [
    { figure: "this module, s", values: own },
    ...withRival([
      { figure: "pg-partsmith, s", values: partsmith },
      { figure: "this module ÷ pg-partsmith", values: ratios(own, partsmith) },
    ]),
  ];
}

function liveRows({ own, batches, single, partsmith }: TreeFigures["live"]): Row[] {
  return [
    { figure: "this module, s", values: own },
    { figure: "plain LIKE + ATTACH, the same transactions, s", values: batches },
    { figure: "plain LIKE + ATTACH, each in its own, s", values: single },
    ...withRival([{ figure: "pg-partsmith, s", values: partsmith }]),
    { figure: "this module ÷ plain, the same transactions", values: ratios(own, batches) },
    { figure: "this module ÷ plain, each in its own", values: ratios(own, single) },
    ...withRival([
      { figure: "pg-partsmith ÷ plain, each in its own (first round)", values: ratios(partsmith, single) },
    ]),
  ];
}

function previewRows({ own, floor }: PreviewFigures): Row[] {
  return [
    { figure: "this module, s", values: own },
    { figure: "floor, s", values: floor },
    { figure: "this module ÷ floor", values: ratios(own, floor) },
  ];
}

function readsText({ own, partsmith }: TreeFigures["reads"]): string {
  return ` Queries of one plan: ${own}${partsmith === undefined ? "" : `; pg-partsmith ${partsmith}`}.`;
}

function section(title: string, text: string, rows: Row[] | undefined): string[] {
  return rows === undefined ? [] : [`## ${title}`, "", ...(text === "" ? [] : [text, ""]), table(rows), ""];
}

function textOf(found: Found, load: number): string {
  const { fresh, plan, live, previews, reads } = found;
  const limits = limitsOf(found).map(
    ({ name, found: value, most }) =>
      `| ${name} | ${value.toFixed(2)} | ${most} | ${value <= most ? "kept" : "**not kept**"} |`,
  );
  const partial = fresh && plan && live && reads && previews ? [] : ["**Partial:** the run was cut short.", ""];
  return [
    `# ${PARTITIONS} partitions in process, ${SHAPE.tenants * SHAPE.days} through the engine`,
    "",
    ...partial,
    `${new Date().toISOString().slice(0, 10)}, PostgreSQL 18, Node.js ${process.version}, ${RIVAL ? `pg-partsmith ${PARTSMITH}, ` : ""}${cpus().length} cores, load ${load.toFixed(1)} before`,
    `and ${(loadavg()[0] ?? 0).toFixed(1)} after. Ratios are of the same round, limits of medians. Databases and stacks are ${IN_MEMORY ? "in memory" : "on disk"}.`,
    "",
    "| limit | found | at most | |",
    "|---|---|---|---|",
    ...limits,
    "",
    ...section(`A fresh tree of ${PARTITIONS}`, "", fresh && freshRows(fresh)),
    ...section(
      `The plan for it, when nothing is to be done (${PLAN_ROUNDS} rounds)`,
      `Policy to partitions, reading, planning.${reads === undefined ? "" : readsText(reads)}`,
      plan && planRows(plan),
    ),
    ...section(
      `${ADDED} more, with rows in each partition that is there (${LIVE_ROUNDS} rounds)`,
      "Reading, planning and executing, of which this module plans for all partitions.",
      live && liveRows(live),
    ),
    ...section(
      `Preview without changes, ${SHAPE.tenants} partitions of ${SHAPE.days} each (${ROUNDS} rounds)`,
      "The floor is a stack with one resource of the same properties, from a provider that does nothing.",
      previews && previewRows(previews),
    ),
  ].join("\n");
}

async function main(): Promise<void> {
  const [load = 0] = loadavg();
  const log = (text: string) => void process.stderr.write(`${text}\n`);
  const results = join(__dirname, "results");
  await mkdir(results, { recursive: true });
  let measured: Found = {};
  const found = async (part: Found) => {
    measured = { ...measured, ...part };
    await writeFile(join(results, "plan.md"), textOf(measured, load));
  };
  const options = { partitions: PARTITIONS, added: ADDED, rounds: PLAN_ROUNDS, rival: RIVAL };
  await measureTrees(options, found, log);
  await found({ previews: await measurePreviews(SHAPE, ROUNDS, log) });
  process.stdout.write(textOf(measured, load));
  if (limitsOf(measured).some(({ found: value, most }) => value > most)) process.exitCode = 1;
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    process.exit(1);
  },
);
