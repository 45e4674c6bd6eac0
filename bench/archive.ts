/**
 * `npm run bench:archive`: exports of a partition of BENCH_ROWS (default 10,000,000) rows into a directory and to an S3
 * server, BENCH_ROUNDS (default 3) times each, in turn with what they are compared to:
 *
 * - the server's own `COPY … TO PROGRAM`, which compresses in the same way and proves nothing;
 * - the store's own put of the bytes that came out of it.
 *
 * Then the whole life of a partition of BENCH_LIFE_ROWS (default 1,000,000) rows beside an application that uses the other
 * partitions: without a limit, and with one of BENCH_BYTES_PER_SECOND (default 8 MiB).
 *
 * What has been measured is written down at once: a run that is cut short leaves a result that says so.
 */
import "../test/support/in-memory";

import { mkdir, writeFile } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { type Life, measureLife } from "./support/archiveLife";
import { type ExportRound, measureExports, throughputOf } from "./support/exports";
import { median } from "./support/figures";

const ROWS = Number(process.env.BENCH_ROWS ?? 10_000_000);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
const LIFE_ROWS = Number(process.env.BENCH_LIFE_ROWS ?? 1_000_000);
const BYTES_PER_SECOND = Number(process.env.BENCH_BYTES_PER_SECOND ?? 8 * 2 ** 20);

const MIB = 2 ** 20;
/** Of the slower of the two others; of memory; of the time of an export; of the p99 without one. */
const LIMITS = { throughput: 0.8, peakBytes: 200 * 10 ** 6, verify: 1, p99: 1.2 };

interface Result {
  exports: ExportRound[];
  lives: Life[];
}

const count = (value: number) => value.toLocaleString("en-US");
const row = (cells: (string | number)[]) => `| ${cells.join(" | ")} |`;
const table = (head: string[], rows: string[][]) => [row(head), row(head.map(() => "---")), ...rows.map(row), ""];

const EXPORT_HEAD = [
  "store",
  "export, s",
  "MiB/s of text",
  "COPY TO PROGRAM, s",
  "put, s",
  "÷ the slower",
  "verify, s",
  "memory, MB",
  "stored, MB",
];

function exportRow(round: ExportRound): string[] {
  const { store, own, copySeconds, putSeconds } = round;
  return [
    store,
    own.writeSeconds.toFixed(1),
    (own.textBytes / MIB / own.writeSeconds).toFixed(0),
    copySeconds.toFixed(1),
    putSeconds.toFixed(1),
    throughputOf(round).toFixed(2),
    own.verifySeconds.toFixed(1),
    (own.peakBytes / 10 ** 6).toFixed(0),
    (own.storedBytes / 10 ** 6).toFixed(0),
  ];
}

const LIFE_HEAD = ["limit", "phase", "s", "statements", "failed", "p99, ms", "÷ idle", "longest, ms"];

function lifeRows({ bytesPerSecond, phases, failures }: Life): string[][] {
  const idle = phases.find(({ title }) => title === "idle")?.p99 ?? Number.NaN;
  return phases.map(({ title, seconds, statements, p99, longest }) => [
    bytesPerSecond === undefined ? "none" : `${bytesPerSecond / MIB} MiB/s`,
    title,
    seconds.toFixed(0),
    count(statements),
    String(failures.length),
    p99.toFixed(2),
    (p99 / idle).toFixed(2),
    longest.toFixed(0),
  ]);
}

/** What was not kept, one line for each. */
function broken({ exports, lives }: Result): string[] {
  const stores = [...new Set(exports.map(({ store }) => store))];
  return [
    ...stores.flatMap((store) =>
      brokenBy(
        store,
        exports.filter((round) => round.store === store),
      ),
    ),
    ...lives.flatMap(({ failures }) =>
      failures.slice(0, 1).map((failure) => `an application statement failed: ${failure}`),
    ),
    ...lives.filter(({ bytesPerSecond }) => bytesPerSecond !== undefined).flatMap(p99Rises),
  ];
}

function brokenBy(store: string, rounds: ExportRound[]): string[] {
  const throughput = median(rounds.map(throughputOf));
  const verify = median(rounds.map(({ own }) => own.verifySeconds / own.writeSeconds));
  const peak = Math.max(...rounds.map(({ own }) => own.peakBytes));
  return [
    ...(throughput < LIMITS.throughput ? [`${store}: ${throughput.toFixed(2)} of the slower of the others`] : []),
    ...(verify > LIMITS.verify ? [`${store}: verifying took ${verify.toFixed(2)} times the export`] : []),
    ...(peak > LIMITS.peakBytes ? [`${store}: ${(peak / 10 ** 6).toFixed(0)} MB of memory`] : []),
  ];
}

function p99Rises({ phases }: Life): string[] {
  const idle = phases.find(({ title }) => title === "idle")?.p99 ?? Number.NaN;
  return phases
    .filter(({ p99 }) => p99 > idle * LIMITS.p99)
    .map(({ title, p99 }) => `p99 ${(p99 / idle).toFixed(2)} times idle during ${title}, with the limit`);
}

function textOf(result: Result, load: number): string {
  const { exports, lives } = result;
  const limits = broken(result);
  const partial = exports.length < ROUNDS * 2 || lives.length < 2;
  return [
    `# Archive of ${count(ROWS)} rows`,
    "",
    ...(partial ? ["**Partial:** the run was cut short.", ""] : []),
    `${new Date().toISOString().slice(0, 10)}, PostgreSQL 18, Node.js ${process.version}, ${cpus().length} cores, load ${load.toFixed(1)} before. Server, data and directory in`,
    "memory. An export ends when everything is written; verifying reads it all again from the store, and belongs to every",
    "export. `COPY … TO PROGRAM` compresses with the same library, level and number of threads. Memory is the peak of the",
    "whole process.",
    "",
    ...table(EXPORT_HEAD, exports.map(exportRow)),
    `An application of two readers and two writers on another partition, while one of ${count(LIFE_ROWS)} rows is archived (export, verify,`,
    "detach, proof, drop) and restored:",
    "",
    ...table(LIFE_HEAD, lives.flatMap(lifeRows)),
    limits.length === 0
      ? "All limits are kept: 0.8 of the slower of the others and no more time for verifying than for writing (medians), 200 MB, no failed statement, p99 with the limit of bytes a second within 1.2 times of idle."
      : `Limits that were not kept: ${limits.join("; ")}.`,
    "",
  ].join("\n");
}

async function main(): Promise<void> {
  const [load = 0] = loadavg();
  const results = join(__dirname, "results");
  await mkdir(results, { recursive: true });
  const tell = (text: string) => void process.stderr.write(`${text}\n`);
  const result: Result = { exports: [], lives: [] };
  const write = () => writeFile(join(results, "archive.md"), textOf(result, load));
  for await (const round of measureExports({ rows: ROWS, rounds: ROUNDS }, tell)) {
    result.exports.push(round);
    await write();
  }
  for (const limit of [{}, { bytesPerSecond: BYTES_PER_SECOND }]) {
    result.lives.push(await measureLife({ rows: LIFE_ROWS, ...limit }, tell));
    await write();
  }
  process.stdout.write(textOf(result, load));
  if (broken(result).length > 0) process.exitCode = 1;
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    process.exit(1);
  },
);
