/**
 * `npm run bench:reorganize`: structural change of a table of BENCH_ROWS (default 2,000,000) rows through the engine, beside
 * the plain way, which is to copy everything and swap under one lock. The steps are a chain:
 *
 * - HASH 16 → 32;
 * - a year is split into quarters, and these into months.
 *
 * An application reads and writes the table all the time. It also writes what it does into an ordinary table, so that the
 * content can be compared afterwards; a row that an UPDATE does not find, or that a count misses, fails its statement.
 * What has been measured is written down at once: a run that is cut short leaves a result that says so.
 */
import "../test/support/in-memory";

import { mkdir, writeFile } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { LONGEST_MS, type Measured, measureReorganizations, ROWS, STEPS } from "./support/reorganizations";

function figuresOf({ title, own, plain }: Measured): string[] {
  const figure = (pick: (one: Measured["own"]) => string) => `${pick(own)} | ${pick(plain)}`;
  const cells = [
    figure(({ seconds }) => seconds.toFixed(1)),
    (own.seconds / plain.seconds).toFixed(2),
    figure(({ longest }) => String(Math.round(longest))),
    figure(({ statements }) => String(statements)),
    figure(({ failures }) => String(failures.length)),
    figure(({ same }) => (same ? "the same" : "**other**")),
  ];
  return [`| ${title} | ${cells.join(" | ")} |`];
}

const HEAD = [
  "",
  "this module, s",
  "plain, s",
  "÷",
  "longest statement, ms",
  "plain",
  "statements",
  "plain",
  "failed",
  "plain",
  "content",
  "plain",
];

/** What this module did not keep. */
function broken({ title, own }: Measured): string[] {
  return [
    ...(own.failures.length > 0 ? [`${title}: an application statement failed: ${own.failures[0]}`] : []),
    ...(own.same ? [] : [`${title}: the content is another one`]),
    ...(own.longest > LONGEST_MS ? [`${title}: a statement took over ${LONGEST_MS} ms`] : []),
  ];
}

function textOf(measured: Measured[], load: number): string {
  const limits = measured.flatMap(broken);
  return [
    `# Structural change of ${ROWS.toLocaleString("en-US")} rows`,
    "",
    ...(measured.length < STEPS ? ["**Partial:** the run was cut short.", ""] : []),
    `${new Date().toISOString().slice(0, 10)}, PostgreSQL 18, Node.js ${process.version}, ${cpus().length} cores, load ${load.toFixed(1)} before. Beside two readers and a`,
    "writer. This module: `pulumi up`, all of it. Plain: `INSERT … SELECT` into a new table and a swap of names, in one",
    "transaction under ACCESS EXCLUSIVE. Statements are the application's.",
    "",
    `| ${HEAD.join(" | ")} |`,
    `|${"---|".repeat(HEAD.length)}`,
    ...measured.flatMap(figuresOf),
    "",
    limits.length === 0
      ? `This module keeps its limits: the same content, no failed statement, none over ${LONGEST_MS} ms.`
      : `Limits that this module did not keep: ${limits.join("; ")}.`,
    "",
  ].join("\n");
}

async function main(): Promise<void> {
  const [load = 0] = loadavg();
  const results = join(__dirname, "results");
  await mkdir(results, { recursive: true });
  const measured: Measured[] = [];
  for await (const one of measureReorganizations((text) => void process.stderr.write(`${text}\n`))) {
    measured.push(one);
    await writeFile(join(results, "reorganize.md"), textOf(measured, load));
  }
  process.stdout.write(textOf(measured, load));
  if (measured.flatMap(broken).length > 0) process.exitCode = 1;
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    process.exit(1);
  },
);
