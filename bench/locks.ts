/**
 * `npm run bench:locks`: what an application bears while a table with a DEFAULT partition gets two months more and loses
 * its four oldest: by this module, by pg_partman's `run_maintenance`, by the plain statements and by pg-partsmith, in
 * turn in the same run.
 *
 * - idle reader: a transaction that has read the table stays open for BENCH_READER_SECONDS (default 8);
 * - idle reader, referenced: the same while another table, read and written as well, references this one;
 * - busy: no transaction stays, but there is nearly always one that has just read the table.
 *
 * Then every operation of this module beside a steady mixed load, see support/mixedLoad.
 *
 * BENCH_ROUNDS: default 3; 0 leaves the others out, and with them all but the operations. What the others need is fetched
 * once into the cache outside the checkout.
 */
import "../test/support/in-memory";

import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "pg";
import { type TestDatabase, testServer } from "../test/support/postgres";
import { median } from "./support/figures";
import { type Disturbance, disturbance, type Load, STALL_MS, startLoad } from "./support/load";
import { brokenByOperations, measureOperations, operationsTable, RISE_LIMIT_MS } from "./support/mixedLoad";
import { type Command, monthStart, progress, type Rival, rivals } from "./support/rivals";

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
const READER_MS = Number(process.env.BENCH_READER_SECONDS ?? 8) * 1000;
/** A long reader is an observation of its own. */
const RESULT = READER_MS >= 60_000 ? "locks-long-reader.md" : "locks.md";
const JOB = 6;
/** Before the job, for comparison. */
const CALM_MS = 2_000;
/** Whoever has not finished then is stopped. */
const PATIENCE_MS = 15_000;
const POLL_MS = 20;

/** The limits of this module: one wait, all waits of one client, end after the reader's end, rise of the p99. */
const LIMITS = { longest: 250, stalled: 1000, after: 2000, p99Rise: 250 };

interface Scenario {
  title: string;
  /** Of a single table, or one that another references. */
  referenced?: boolean;
  busy?: boolean;
}

const SCENARIOS: Scenario[] = [
  { title: `A reader idle in its transaction for ${READER_MS / 1000} s` },
  { title: "The same, and an incoming foreign key, whose table is read and written too", referenced: true },
  { title: "Nobody stays, but somebody has always just read the table", busy: true },
];

interface Figures extends Disturbance {
  /** Of 6, when the process had ended. */
  done: number;
  /** From the reader's end (busy: from the start) until all was done, in ms; undefined: not done at all. */
  after?: number;
  failures: number;
  /** The first of them. */
  failure?: string;
  /** Last line of what the process wrote when it did not finish its job. */
  said: string;
}

const JOBS: string[][] = [
  [`SELECT count(*) FROM events WHERE created_at >= '${monthStart(0)}' AND created_at < '${monthStart(1)}'`],
  ["SELECT count(*) FROM events"],
  [`INSERT INTO events SELECT nextval('ids'), '${monthStart(0)}Z', 'x'`],
  ["INSERT INTO events SELECT nextval('ids'), '2090-01-01Z', 'x'", `UPDATE events SET payload = 'y' WHERE id = 3`],
];

const REFERENCING_JOBS: string[][] = [
  ["SELECT count(*) FROM entry"],
  [`INSERT INTO entry SELECT nextval('ids'), 801, '${monthStart(0)}Z'::timestamptz + interval '1 hour'`],
];

/** Overlapping transactions that have read everything. */
const BUSY: string[][] = [0, 1].map(() => ["BEGIN", "SELECT count(*) FROM events", "SELECT pg_sleep(0.02)", "COMMIT"]);

async function measure(rival: Rival, scenario: Scenario): Promise<Figures> {
  const scratch = await mkdtemp(join(tmpdir(), "pgpartition-bench-"));
  const database = await (await testServer(18)).createDatabase();
  try {
    const client = await database.client("bench");
    await client.query("CREATE SEQUENCE ids START 100000");
    await rival.prepare(database, client);
    await client.query(
      `INSERT INTO events SELECT n * 100 + g, '${monthStart(-8)}Z'::timestamptz + n * interval '1 month' + g * interval '1 hour', 'x'
       FROM generate_series(0, 8) n, generate_series(1, 100) g`,
    );
    if (scenario.referenced) {
      await client.query(
        "CREATE TABLE entry (entry bigint, id bigint, created_at timestamptz, FOREIGN KEY (id, created_at) REFERENCES events)",
      );
    }
    await client.query("ANALYZE events");
    const command = await rival.command(database.connection, scratch);
    return await disturb(database, client, command, scenario);
  } finally {
    await database.drop();
    await rm(scratch, { recursive: true });
  }
}

async function disturb(database: TestDatabase, client: Client, command: Command, scenario: Scenario): Promise<Figures> {
  const reader = await database.client("report");
  await reader.query("BEGIN");
  if (!scenario.busy) await reader.query("SELECT count(*) FROM events");
  const more = [...(scenario.referenced ? REFERENCING_JOBS : []), ...(scenario.busy ? BUSY : [])];
  const load = await startLoad(database, [...JOBS, ...more]);
  await pause(CALM_MS);
  const started = performance.now();
  const work = start(command);
  if (!scenario.busy) await pause(READER_MS);
  const readerEnd = performance.now();
  const ended = reader.query("COMMIT");
  const finished = await untilDone(client, work, readerEnd);
  await ended;
  const stopped = performance.now();
  const done = await progress(client);
  await pause(200);
  await load.stop();
  return figures(load, { started, stopped, done, after: finished && finished - readerEnd, said: work.said() });
}

interface Course {
  started: number;
  stopped: number;
  done: number;
  after: number | undefined;
  said: string;
}

function figures({ statements, failures }: Load, course: Course): Figures {
  return {
    ...disturbance(statements, course.started, course.stopped),
    done: course.done,
    after: course.after,
    failures: failures.length,
    failure: failures[0],
    said: course.done === JOB ? "" : course.said,
  };
}

interface Work {
  process: ChildProcess;
  exited(): boolean;
  said(): string;
}

function start({ program, args }: Command): Work {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  const add = (chunk: Buffer) => {
    text += chunk.toString();
  };
  child.stdout.on("data", add);
  child.stderr.on("data", add);
  let over = false;
  child.once("close", () => {
    over = true;
  });
  return { process: child, exited: () => over, said: () => text.trim().replace(/\s+/g, " ").slice(-300) };
}

/** The moment at which the whole job was seen to be done; undefined when the process ended, or was ended, before that. */
async function untilDone(client: Client, work: Work, readerEnd: number): Promise<number | undefined> {
  let finished: number | undefined;
  while (!work.exited()) {
    if (finished === undefined && (await progress(client)) === JOB) finished = performance.now();
    if (performance.now() - readerEnd > PATIENCE_MS) work.process.kill();
    await pause(POLL_MS);
  }
  if (finished === undefined && (await progress(client)) === JOB) finished = performance.now();
  return finished;
}

type Row = { rival: string; all: Figures[] };

function tableOf(rows: Row[], scenario: Scenario): string {
  const ms = (values: number[]) => `${Math.round(median(values))} (${Math.round(Math.max(...values))})`;
  const lines = rows.map(({ rival, all }) => {
    const after = all.flatMap((one) => (one.after === undefined ? [] : [one.after]));
    const cells = [
      ms(all.map(({ longest }) => longest)),
      ms(all.map(({ stalled }) => stalled)),
      ms(all.map(({ p99Rise }) => p99Rise)),
      `${median(all.map(({ done }) => done))} of ${JOB}`,
      after.length < all.length ? `not done in ${all.length - after.length} of ${all.length} rounds` : ms(after),
      String(Math.max(...all.map(({ failures }) => failures))),
    ];
    return `| ${rival} | ${cells.join(" | ")} |`;
  });
  const end = scenario.busy ? "done after the start, ms" : "done after the reader's end, ms";
  const head = ["", "longest wait, ms", "total stall, ms", "rise of the p99, ms", "done", end, "failed statements"];
  const notes = rows.flatMap(({ rival, all }) => {
    const said = all.find((one) => one.said !== "")?.said;
    const failure = all.find((one) => one.failure !== undefined)?.failure;
    return [
      ...(said === undefined ? [] : [`${rival} ended with: ${quoted(said)}`, ""]),
      ...(failure === undefined ? [] : [`beside ${rival} the application was told: ${quoted(failure)}`, ""]),
    ];
  });
  return [`| ${head.join(" | ")} |`, `|${"---|".repeat(head.length)}`, ...lines, "", ...notes].join("\n");
}

function quoted(text: string): string {
  return `\`${text.replaceAll("`", "'")}\``;
}

/** The limits that this module did not keep, of the median of its rounds. */
function broken(all: Figures[], scenario: Scenario): string[] {
  const of = (pick: (one: Figures) => number) => median(all.map(pick));
  const found = {
    longest: of(({ longest }) => longest),
    stalled: of(({ stalled }) => stalled),
    after: scenario.busy ? 0 : of(({ after }) => after ?? Number.POSITIVE_INFINITY),
    p99Rise: of(({ p99Rise }) => p99Rise),
  };
  const over = Object.entries(LIMITS).filter(([name, limit]) => found[name as keyof typeof LIMITS] > limit);
  const failed = all.some(({ failures }) => failures > 0) ? ["an application statement failed"] : [];
  return [...over.map(([name, limit]) => `${scenario.title}: ${name} over ${limit} ms`), ...failed];
}

async function againstRivals(): Promise<{ text: string[]; broken: string[] }> {
  const text: string[] = [];
  const kept: string[] = [];
  for (const scenario of ROUNDS > 0 ? SCENARIOS : []) {
    const rows = rivals().map((rival) => ({ rival, all: [] as Figures[] }));
    for (let round = 1; round <= ROUNDS; round++) {
      for (const { rival, all } of rows) {
        const found = await measure(rival, scenario);
        all.push(found);
        process.stderr.write(`${scenario.title}, round ${round}, ${rival.name}: ${JSON.stringify(found)}\n`);
      }
    }
    const shown = rows.map(({ rival, all }) => ({ rival: rival.name, all }));
    text.push(`## ${scenario.title}`, "", tableOf(shown, scenario));
    kept.push(...broken(rows[0]?.all ?? [], scenario));
  }
  return { text, broken: kept };
}

function introduction(load: number): string[] {
  return [
    `Load ${load.toFixed(1)} before the first of ${ROUNDS} rounds. The job: two months more, the four oldest away, of a table by month with a`,
    "DEFAULT partition; two readers and two writers without a pause of more than 5 ms. Medians, and the worst round in",
    `parentheses. A statement is held up when it takes over ${STALL_MS} ms more than usual; the total is that of the client that`,
    "was held up most. The rise of the p99 is against the two seconds before the job.",
    "",
  ];
}

function kept(): string {
  if (ROUNDS === 0) return "";
  const { longest, stalled, after, p99Rise } = LIMITS;
  return `no wait over ${longest} ms, ${stalled} ms of them together, done ${after} ms after the reader, p99 up by ${p99Rise} ms at most, `;
}

async function main(): Promise<void> {
  const [load = 0] = loadavg();
  const rivalled = await againstRivals();
  const [loadThen = 0] = loadavg();
  const operated = await measureOperations(READER_MS);
  const limits = [...rivalled.broken, ...brokenByOperations(operated)];
  const text = [
    "# Beside an application at work",
    "",
    `PostgreSQL 18, ${cpus().length} cores.`,
    "",
    ...(ROUNDS > 0 ? introduction(load) : []),
    ...rivalled.text,
    "## Every operation of this module beside a steady load",
    "",
    `Load of the machine ${loadThen.toFixed(1)} before it. Each operation has a table of its own with two clients that read and write it without`,
    `a pause of more than 25 ms; one transaction has read all tables and stays, with its snapshot, for ${READER_MS / 1000} s. The operations`,
    "begin one after the other and run side by side; the p99 is that of the statements on the operation's table.",
    "",
    operationsTable(operated),
    limits.length === 0
      ? `This module keeps its limits: ${kept()}no failed statement; p99 beside an operation up by ${RISE_LIMIT_MS} ms at most.`
      : `Limits that this module did not keep: ${limits.join("; ")}.`,
    "",
  ].join("\n");
  process.stdout.write(text);
  await mkdir(join(__dirname, "results"), { recursive: true });
  await writeFile(join(__dirname, "results", RESULT), text);
  if (limits.length > 0) process.exitCode = 1;
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    process.exit(1);
  },
);
