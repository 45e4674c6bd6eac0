/** What an application bears on other partitions while one is archived and brought back. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { bundled } from "../../test/support/bundled";
import { type TestDatabase, testServer } from "../../test/support/postgres";
import type { Program } from "../../test/support/without-engine";
import { fillJanuary } from "./archiveTable";
import { type Load, percentile, startLoad, type Timed } from "./load";

const UP = resolve(__dirname, "../../test/support/without-engine-child.ts");
/** Calm before, between and after, for comparison. */
const CALM_MS = 15_000;

/** Readers and writers of the month of today. */
const JOBS: string[][] = [
  ["SELECT count(*) FROM events WHERE created_at >= '2024-04-10Z' AND created_at < '2024-04-11Z'"],
  ["INSERT INTO events SELECT nextval('ids'), '2024-04-15 12:00Z', 1, 'order', '{}', 1"],
  ["SELECT * FROM events WHERE id = 20 AND created_at = '2024-04-10 00:20Z'"],
  ["UPDATE events SET kind = 'refund' WHERE id = 30 AND created_at = '2024-04-10 00:30Z'"],
];

const partitionBy = { range: { column: "created_at", type: "timestamptz", every: "month" } };

const COLUMNS = [
  { name: "id", type: "bigint", nullable: false },
  { name: "created_at", type: "timestamptz", nullable: false },
  { name: "customer_id", type: "integer", nullable: false },
  { name: "kind", type: "text" },
  { name: "payload", type: "jsonb" },
  { name: "amount", type: "numeric(12,2)" },
];

export interface Phase {
  title: "idle" | "archive" | "restore";
  seconds: number;
  statements: number;
  p99: number;
  longest: number;
}

export interface Life {
  /** Of COPY text; undefined: as fast as it goes. */
  bytesPerSecond?: number;
  phases: Phase[];
  failures: string[];
}

export async function measureLife(
  { rows, bytesPerSecond }: { rows: number; bytesPerSecond?: number },
  tell: (text: string) => void,
): Promise<Life> {
  const database = await (await testServer(18)).createDatabase();
  const directory = await mkdtemp(join(process.env.PGPARTITION_TEST_ROOT ?? tmpdir(), "archive-"));
  try {
    const client = await database.client("bench");
    await fillJanuary(client, rows);
    const archive = { store: `file://${directory}`, ...(bytesPerSecond !== undefined && { bytesPerSecond }) };
    const program = (more: object): Program => ({
      table: { name: "events", partitionBy, columns: COLUMNS, primaryKey: ["id", "created_at"] },
      set: { table: "events", partitionBy, window: { from: "2024-01", ahead: 0 }, asOf: "2024-04", archive, ...more },
    });
    const lifecycle = [{ after: "2 months", tier: "archived" }];
    await up(database, program({}));
    await client.query(`CREATE SEQUENCE ids START 1000000000;
      INSERT INTO events SELECT i, '2024-04-10 00:00Z'::timestamptz + i * interval '1 minute', 1, 'order', '{}', 1 FROM generate_series(1, 10000) AS i`);
    await client.query("VACUUM ANALYZE");
    const load = await startLoad(database, JOBS);
    const spans: { title: Phase["title"]; from: number; to: number }[] = [];
    const span = async (title: Phase["title"], action: () => Promise<unknown>) => {
      tell(`${title} …`);
      const from = performance.now();
      await action();
      spans.push({ title, from, to: performance.now() });
    };
    await pause(2_000);
    await span("idle", () => pause(CALM_MS));
    await span("archive", () => up(database, program({ lifecycle })));
    await span("idle", () => pause(CALM_MS));
    await span("restore", () => up(database, program({ lifecycle, pins: [{ from: "2024-01", to: "2024-02" }] })));
    await span("idle", () => pause(CALM_MS));
    await load.stop();
    const [row] = (await client.query<{ n: string }>("SELECT count(*) AS n FROM ONLY events_2024_01")).rows;
    if (Number(row?.n) !== rows) throw new Error(`${row?.n} of ${rows} rows came back`);
    return {
      ...(bytesPerSecond !== undefined && { bytesPerSecond }),
      phases: phasesOf(load, spans),
      failures: load.failures,
    };
  } finally {
    await database.drop();
    await rm(directory, { recursive: true, force: true });
  }
}

/** The three idle spans are one. */
function phasesOf({ statements }: Load, spans: { title: Phase["title"]; from: number; to: number }[]): Phase[] {
  return (["idle", "archive", "restore"] as const).map((title) => {
    const own = spans.filter((span) => span.title === title);
    const within = ({ started }: Timed) => own.some(({ from, to }) => started >= from && started < to);
    const times = statements.filter(within).map(({ ms }) => ms);
    return {
      title,
      seconds: own.reduce((sum, { from, to }) => sum + (to - from) / 1000, 0),
      statements: times.length,
      p99: percentile(times, 0.99),
      longest: Math.max(0, ...times),
    };
  });
}

async function up({ connection }: TestDatabase, program: Program): Promise<void> {
  const args = [connection, program, {}].map((one) => JSON.stringify(one));
  const child = spawn(process.execPath, [bundled(UP), ...args], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "close");
  const said = await text(child.stderr);
  const [status] = await ended;
  if (status !== 0) throw new Error(`the update ended with ${status}: ${said}`);
}
