/**
 * Every operation beside a steady mixed load: each has a table with readers and writers of its own, and all tables have been
 * read by one transaction that stays, with its snapshot. The operations begin one after the other and run side by side, so
 * that each also bears the others.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "pg";
import { DEFAULT_LADDER } from "../../postgres/ladder";
import { bundled } from "../../test/support/bundled";
import { type TestDatabase, testServer } from "../../test/support/postgres";
import type { Program, State, UpWithoutEngine } from "../../test/support/without-engine";
import { type Load, percentile, startLoad, type Timed } from "./load";
import { jobsOf, type Operation, operations } from "./operations";

const SUPPORT = "../../test/support/without-engine";
const CHILD = resolve(__dirname, "../../test/support/without-engine-child.ts");

/** Before the first operation, for comparison. */
const CALM_MS = 4_000;
const PAUSE_MS = 25;
/** Between the starts of two processes, which is work for the machine by itself. */
const START_EVERY_MS = 700;
/** How long an operation may go on after the reader's end. */
const PATIENCE_MS = 60_000;

/** Rise of the p99 that an operation may cause: one step of the ladder, and 50 ms. */
export const RISE_LIMIT_MS = Math.max(...DEFAULT_LADDER.steps) + 50;

export interface OperationFigures {
  title: string;
  /** Statements of the application on this table while the operation was under way. */
  statements: number;
  p99Before: number;
  p99: number;
  longest: number;
  failures: string[];
  /** From the reader's end until the operation was done, in ms; undefined: it was not. */
  after?: number;
  said: string;
}

export async function measureOperations(readerMs: number): Promise<OperationFigures[]> {
  const database = await (await testServer(18)).createDatabase();
  try {
    const client = await database.client("bench");
    await client.query("CREATE SEQUENCE ids START 1000000");
    await client.query("CREATE TABLE account (id int PRIMARY KEY); INSERT INTO account SELECT generate_series(1, 10)");
    const all: Prepared[] = [];
    for (const operation of operations()) all.push(await prepare(database, client, operation));
    await client.query("ANALYZE");
    return await disturb(database, all, readerMs);
  } finally {
    await database.drop();
  }
}

interface Prepared {
  operation: Operation;
  state: State;
}

async function prepare(database: TestDatabase, client: Client, operation: Operation): Promise<Prepared> {
  const { upWithoutEngine } = require(SUPPORT) as { upWithoutEngine: UpWithoutEngine };
  const { name, rows = 1_000, referenced } = operation;
  const state = await upWithoutEngine(database.connection, operation.before, {});
  await client.query(
    `INSERT INTO ${name} (id, k, payload, account)
     SELECT g, g % 300, repeat('x', 150), 1 + g % 10 FROM generate_series(1, ${rows * 3}) g`,
  );
  if (referenced) {
    await client.query(
      `CREATE TABLE ${name}_entry (entry bigint, id bigint, k int, FOREIGN KEY (id, k) REFERENCES ${name})`,
    );
  }
  if (operation.prepare !== undefined) await client.query(operation.prepare);
  return { operation, state };
}

async function disturb(database: TestDatabase, all: Prepared[], readerMs: number): Promise<OperationFigures[]> {
  const reader = await database.client("report");
  await reader.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
  for (const { operation } of all) await reader.query(`SELECT count(*) FROM ${operation.name}`);
  const loads = await Promise.all(all.map(({ operation }) => startLoad(database, jobsOf(operation), PAUSE_MS)));
  await pause(CALM_MS);
  const started = performance.now();
  const connection = { ...database.connection, lockBudgetSeconds: Math.ceil((readerMs + PATIENCE_MS) / 1000) };
  const works: Work[] = [];
  for (const { operation, state } of all) {
    works.push(start([connection, operation.after, state]));
    await pause(START_EVERY_MS);
  }
  await pause(Math.max(0, readerMs - all.length * START_EVERY_MS));
  await reader.query("COMMIT");
  const readerEnd = performance.now();
  await Promise.race([Promise.all(works.map(({ ended }) => ended)), pause(PATIENCE_MS, undefined, { ref: false })]);
  for (const { process: child } of works) child.kill();
  const stopped = performance.now();
  for (const load of loads) await load.stop();
  return all.map(({ operation }, at) => {
    const [load, work] = [loads[at], works[at]];
    if (load === undefined || work === undefined) throw new RangeError("one load and one process for each operation");
    const done = work.done();
    const span = { from: work.started, calm: started, to: done ?? stopped };
    return { title: operation.title, ...figuresOf(load, span), after: done && done - readerEnd, said: work.said() };
  });
}

/** `calm`: until when nothing had begun. */
function figuresOf({ statements, failures }: Load, { calm, from, to }: { calm: number; from: number; to: number }) {
  const times = (some: Timed[]) => some.map(({ ms }) => ms);
  const before = times(statements.filter(({ started, ms }) => started + ms <= calm));
  const during = times(statements.filter(({ started, ms }) => started + ms > from && started <= to));
  return {
    statements: during.length,
    p99Before: percentile(before, 0.99),
    p99: percentile(during, 0.99),
    longest: Math.max(0, ...during),
    failures,
  };
}

interface Work {
  process: ChildProcess;
  started: number;
  ended: Promise<void>;
  /** When it had ended well. */
  done(): number | undefined;
  said(): string;
}

function start(args: [connection: object, program: Program, state: State]): Work {
  const started = performance.now();
  const child = spawn(process.execPath, [bundled(CHILD), ...args.map((one) => JSON.stringify(one))], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let text = "";
  child.stderr.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  let done: number | undefined;
  const ended = new Promise<void>((over) => {
    child.once("close", (code) => {
      if (code === 0) done = performance.now();
      over();
    });
  });
  const said = () => (done === undefined ? text.trim().replace(/\s+/g, " ").slice(-300) : "");
  return { process: child, started, ended, done: () => done, said };
}

export function operationsTable(all: OperationFigures[]): string {
  const head = [
    "",
    "p99 before, ms",
    "p99 beside it, ms",
    "longest, ms",
    "statements",
    "failed",
    "done after the reader's end, ms",
  ];
  const lines = all.map(({ title, p99Before, p99, longest, statements, failures, after }) => {
    const figures = [p99Before, p99, longest].map((ms) => String(Math.round(ms)));
    const end = after === undefined ? "not done" : String(Math.round(after));
    return `| ${[title, ...figures, statements, failures.length, end].join(" | ")} |`;
  });
  return [`| ${head.join(" | ")} |`, `|${"---|".repeat(head.length)}`, ...lines, ""].join("\n");
}

/** What was not kept, one line for each. */
export function brokenByOperations(all: OperationFigures[]): string[] {
  return all.flatMap(({ title, p99, p99Before, failures, after, said }) => [
    ...(p99 - p99Before > RISE_LIMIT_MS ? [`${title}: p99 up by more than ${RISE_LIMIT_MS} ms`] : []),
    ...(failures.length > 0 ? [`${title}: an application statement failed: ${failures[0]}`] : []),
    ...(after === undefined ? [`${title}: not done: ${said}`] : []),
  ]);
}
