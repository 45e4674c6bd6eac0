/**
 * `npm run bench:engine`: what a set of 1,000 partitions costs beyond the engine itself and beyond PostgreSQL itself.
 *
 * - no-op preview of the set ÷ no-op preview of a stack with one trivial resource whose state is as large (the floor);
 * - `up` of the set ÷ (the same DDL over one bare connection + `up` of the floor).
 *
 * Rivals run in turn in the same run, so that the ratios hold when the machine's speed drifts.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { testServer } from "../test/support/postgres";
import { TestStack } from "../test/support/stack";
import { median, table } from "./support/figures";

const PARTITIONS = 1000;
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);

const SET = `
new pgp.PartitionedTable("events", {
  columns: [
    { name: "id", type: "bigint", nullable: false },
    { name: "created_at", type: "timestamptz", nullable: false },
    { name: "payload", type: "text" },
  ],
  primaryKey: ["id", "created_at"],
  partitionBy: { range: { column: "created_at", every: "day" } },
  window: { from: "2024-01-01", ahead: 0 },
  asOf: "2026-09-26",
}, { provider });
`;

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

/** A stack with one trivial resource of the engine's own, whose state holds as much as the set's. */
function floorProgram(outputs: unknown): string {
  return `new pulumi.Stash("floor", { input: JSON.parse(${JSON.stringify(JSON.stringify(outputs))}) });`;
}

/** The statements that `up` sends for the set, by hand and over one connection. */
async function bareDdl(connection: object, partitions: Record<string, { from: string; to: string }>): Promise<void> {
  const client = new Client(connection);
  await client.connect();
  await client.query(
    "CREATE TABLE events (id bigint NOT NULL, created_at timestamptz NOT NULL, payload text, PRIMARY KEY (id, created_at)) PARTITION BY RANGE (created_at)",
  );
  const entries = Object.entries(partitions);
  for (let start = 0; start < entries.length; start += 100) {
    await client.query("BEGIN");
    for (const [name, { from, to }] of entries.slice(start, start + 100)) {
      await client.query(`CREATE TABLE ${name} PARTITION OF events FOR VALUES FROM ('${from}') TO ('${to}')`);
    }
    await client.query("COMMIT");
  }
  await client.end();
}

interface Round {
  setPreview: number;
  floorPreview: number;
  setUp: number;
  floorUp: number;
  bare: number;
}

async function round(floor: TestStack | undefined): Promise<{ figures: Round; floor: TestStack }> {
  const server = await testServer(18);
  const database = await server.createDatabase();
  const twin = await server.createDatabase();
  const stack = await TestStack.create({ database: database.connection, program: SET });
  const setUp = await seconds(() => stack.mustUp());
  const set = (await stack.exportState()).resources.find(({ type }) => type.endsWith(":PartitionSet"));
  const partitions = (set?.outputs?.partitions ?? {}) as Record<string, { from: string; to: string }>;
  if (Object.keys(partitions).length !== PARTITIONS) {
    throw new Error(
      `${Object.keys(partitions).length} partitions, not ${PARTITIONS}: the benchmark measures something else`,
    );
  }
  const bare = await seconds(() => bareDdl(twin.connection, partitions));
  await floor?.remove();
  const fresh = await TestStack.create({ program: floorProgram(set?.outputs) });
  const floorUp = await seconds(() => fresh.mustUp());
  const noChanges = ["preview", "--expect-no-changes"];
  const setPreview = await seconds(() => stack.mustRun(noChanges));
  const floorPreview = await seconds(() => fresh.mustRun(noChanges));
  await stack.remove();
  await database.drop();
  await twin.drop();
  return { figures: { setPreview, floorPreview, setUp, floorUp, bare }, floor: fresh };
}

async function main(): Promise<void> {
  const rounds: Round[] = [];
  let floor: TestStack | undefined;
  for (let number = 1; number <= ROUNDS; number++) {
    const result = await round(floor);
    floor = result.floor;
    rounds.push(result.figures);
    process.stderr.write(`round ${number} of ${ROUNDS}: ${JSON.stringify(result.figures)}\n`);
  }
  await floor?.remove();
  const rows = [
    { figure: "no-op preview, s", values: rounds.map(({ setPreview }) => setPreview) },
    { figure: "no-op preview of the floor, s", values: rounds.map(({ floorPreview }) => floorPreview) },
    { figure: "no-op preview ÷ floor (limit 1.5)", values: rounds.map((r) => r.setPreview / r.floorPreview) },
    { figure: "up, s", values: rounds.map(({ setUp }) => setUp) },
    { figure: "bare DDL over one connection, s", values: rounds.map(({ bare }) => bare) },
    { figure: "up of the floor, s", values: rounds.map(({ floorUp }) => floorUp) },
    { figure: "up ÷ (bare DDL + floor) (limit 1.3)", values: rounds.map((r) => r.setUp / (r.bare + r.floorUp)) },
  ];
  const text = [
    `# ${PARTITIONS} partitions through the engine`,
    "",
    `PostgreSQL 18, ${cpus().length} cores, ${ROUNDS} rounds. Ratios are of the same round; limits are of the median.`,
    "",
    table(rows),
    "",
  ].join("\n");
  process.stdout.write(text);
  await mkdir(join(__dirname, "results"), { recursive: true });
  await writeFile(join(__dirname, "results", "engine.md"), text);
  const [preview, up] = [rows[2], rows[6]].map((row) => median(row?.values ?? []));
  if ((preview ?? 9) > 1.5 || (up ?? 9) > 1.3) process.exitCode = 1;
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    process.exit(1);
  },
);
