/** Long transactions of others are in the way of an `up`, and the application goes on beside it. */
import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Client } from "pg";
import { DEFAULT_LADDER } from "../../postgres/ladder";
import { describeOnOldestAndNewest, type TestDatabase } from "../support/postgres";
import { type CommandResult, collect, TestStack } from "../support/stack";
import { startTraffic, type TrafficReport } from "../support/traffic";

/** One step of the ladder, and what a busy machine may add. */
const LONGEST_WAIT_MS = Math.max(...DEFAULT_LADDER.steps) + 400;
/** How often the waiting `up` must have looked at a reader before the reader goes away. */
const LOOKS = 4;
/** The reader stays at least so long; the issue of a reader of a minute is tried by setting it to 60. */
const HOLD_MS = Number(process.env.PGPARTITION_TEST_READER_SECONDS ?? 0) * 1000;

/** Each has rows in every month; `linked` references `account`, and `entry` references it. */
const TABLES = ["plain", "kept", "vacuumed", "linked"];

const table = (name: string, more: string) => `
new pgp.PartitionedTable("${name}", {
  columns: [
    { name: "id", type: "bigint", nullable: false },
    { name: "at", type: "timestamptz", nullable: false },
    { name: "account", type: "bigint" },
  ],
  primaryKey: ["id", "at"],
  partitionBy: { range: { column: "at", every: "month" } },
  window: { from: "2026-02", ahead: 1 },
  ${more}
}, { provider });`;

/** The months from 2026-02 on. In `next` one more is needed, the oldest is dropped and the one after it detached. */
const program = (next: boolean) => {
  const lifecycle = '[{ after: "8 months", tier: "detached" }, { after: "9 months", tier: "dropped" }]';
  const moving = next ? `asOf: "2026-12", lifecycle: ${lifecycle},` : 'asOf: "2026-11",';
  const account = 'foreignKeys: [{ columns: ["account"], references: { table: "account", columns: ["id"] } }],';
  return [
    table("plain", moving),
    table("kept", `${moving} defaultPartition: true,`),
    table("vacuumed", moving),
    table("linked", `${moving} ${account}`),
  ].join("\n");
};

const BEFORE = ["02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12"].map((month) => `2026_${month}`);
const AFTER = [...BEFORE.slice(2), "2027_01"];

/** What the application does all the time, on months that stay. */
const JOBS: string[][] = [
  ...TABLES.flatMap((name, index) => [
    [`SELECT count(*) FROM ${name}`],
    [`SELECT count(*) FROM ${name} WHERE at >= '2026-10-01Z' AND at < '2026-11-01Z'`],
    [
      `INSERT INTO ${name} SELECT ${index} * 1e9 + nextval('numbers'), '2026-10-15Z', 1`,
      `UPDATE ${name} SET account = 3 - account WHERE id = 10 AND at = '2026-10-02Z'`,
    ],
  ]),
  ["INSERT INTO kept VALUES (nextval('numbers'), '2030-01-01Z', 1)"],
  ["INSERT INTO entry SELECT nextval('numbers'), 10, '2026-10-02Z'", "DELETE FROM entry WHERE id % 2 = 0"],
  ["UPDATE account SET name = 'x' WHERE id = 1", "UPDATE account SET id = 4 - id WHERE id IN (3, 1) AND false"],
  // Against the order in which the tables are locked for a detach.
  [
    "BEGIN",
    "SELECT count(*) FROM linked WHERE at >= '2026-09-01Z'",
    "INSERT INTO entry SELECT nextval('numbers'), 9, '2026-09-02Z'",
    "UPDATE account SET name = 'y' WHERE id = 2",
    "COMMIT",
  ],
];

describeOnOldestAndNewest("an up beside long transactions and a busy application", (server) => {
  let database: TestDatabase;
  let stack: TestStack;
  let client: Client;

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    await client.query(`
      CREATE SEQUENCE numbers START 1000;
      CREATE TABLE account (id bigint PRIMARY KEY, name text);
      INSERT INTO account SELECT g, 'n' FROM generate_series(1, 3) g`);
    stack = await TestStack.create({ database: database.connection, program: program(false) });
    await stack.mustUp();
    const rows = "SELECT m, make_timestamptz(2026, m, 2, 0, 0, 0, 'UTC'), 1 FROM generate_series(2, 11) m";
    for (const name of TABLES) await client.query(`INSERT INTO ${name} ${rows}`);
    await client.query(`
      CREATE TABLE entry (id bigint PRIMARY KEY, linked bigint, at timestamptz, FOREIGN KEY (linked, at) REFERENCES linked)`);
    await client.query("ANALYZE");
  });

  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  /** Attached partitions, those half detached marked; and tables that no parent has. */
  const partitions = async (name: string): Promise<{ attached: string[]; beside: string[] }> => {
    const { rows } = await client.query<{ name: string; attached: boolean; pending: boolean | null }>(
      `SELECT c.relname AS name, c.relispartition AS attached, i.inhdetachpending AS pending
       FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
       WHERE c.relkind = 'r' AND c.relname LIKE $1 ORDER BY 1`,
      [`${name}\\_%`],
    );
    const month = (row: { name: string; pending: boolean | null }) =>
      row.name.slice(name.length + 1) + (row.pending ? " pending" : "");
    return {
      attached: rows.filter(({ attached }) => attached).map(month),
      beside: rows.filter(({ attached }) => !attached).map(month),
    };
  };

  /** A report that reads `plain`, what autovacuum does to `vacuumed`, and a prepared transaction that wrote to `kept`. */
  const holders = async () => {
    const begin = async (name: string) => {
      const holder = await database.client(name);
      const { rows } = await holder.query("SELECT pg_backend_pid() AS pid");
      await holder.query("BEGIN");
      return { holder, pid: rows[0].pid as number };
    };
    const [reader, vacuum, batch] = [await begin("report"), await begin("vacuum"), await begin("batch")];
    await reader.holder.query("SELECT count(*) AS report FROM plain");
    await vacuum.holder.query("LOCK TABLE vacuumed IN SHARE UPDATE EXCLUSIVE MODE");
    await batch.holder.query("INSERT INTO kept VALUES (1, '2026-11-03Z', 1), (1, '2030-01-01Z', 1)");
    await batch.holder.query("PREPARE TRANSACTION 'nightly'");
    return {
      reader: reader.holder,
      vacuum: vacuum.holder,
      batch: batch.holder,
      pids: { reader: reader.pid, vacuum: vacuum.pid },
    };
  };

  const undisturbed = ({ statements, failures }: TrafficReport) => {
    assert.deepEqual(failures, []);
    assert.ok(statements > 100, `${statements} statements`);
  };

  it("fails within its budget and names who is in the way; what nobody is in the way of is done", async () => {
    const { reader, vacuum, batch, pids } = await holders();
    await stack.setProgram(program(true), { ...database.connection, lockBudgetSeconds: 1 });
    const traffic = await startTraffic(database, JOBS, LONGEST_WAIT_MS);
    const up = await stack.up();
    undisturbed(await traffic.stop());
    await batch.query("ROLLBACK PREPARED 'nightly'");
    await vacuum.query("ROLLBACK");
    await reader.query("ROLLBACK");

    assert.notEqual(up.code, 0, up.output);
    const session = (pid: number, application: string) =>
      `Session ${pid} \\(user ${database.connection.user}, application ${application}, client [^,]+, idle in transaction, transaction \\d+\\.\\d s old\\)`;
    const expected = [
      `partitions\\.plain_2026_03: .*${session(pids.reader, "report")} holds ACCESS SHARE on "public"\\."plain"; query: SELECT count\\(\\*\\) AS report`,
      `partitions\\.kept_2027_01: .*Prepared transaction "nightly" of ${database.connection.user} \\(\\d+\\.\\d s old\\) holds ROW EXCLUSIVE on "public"\\."kept_default"`,
      `partitions\\.vacuumed_2027_01: .*${session(pids.vacuum, "vacuum")} holds SHARE UPDATE EXCLUSIVE on "public"\\."vacuumed"; query: LOCK TABLE`,
    ];
    const text = up.output.replace(/\s+/g, " ");
    for (const pattern of expected) assert.match(text, new RegExp(pattern), up.output);

    assert.deepEqual(await partitions("linked"), { attached: AFTER, beside: ["2026_03"] });
    assert.deepEqual(await partitions("plain"), { attached: [...BEFORE, "2027_01"], beside: [] });
    assert.deepEqual(await partitions("kept"), { attached: [...BEFORE, "default"], beside: [] });
    assert.deepEqual(await partitions("vacuumed"), { attached: BEFORE, beside: [] });
  });

  it("waits for a reader of the parents without keeping anybody else waiting, and finishes when the reader ends", async () => {
    const reader = await database.client("report");
    await reader.query("BEGIN");
    for (const name of ["plain", "kept"]) await reader.query(`SELECT count(*) FROM ${name}`);
    await stack.setProgram(program(true), database.connection);

    const started = performance.now();
    const traffic = await startTraffic(database, JOBS, LONGEST_WAIT_MS);
    const up = collect(stack.start(["up", "--yes", "--skip-preview"]));
    await waiting(client, up, 2);
    while (performance.now() - started < HOLD_MS) await nextTurn();
    assert.deepEqual((await partitions("plain")).attached, [...BEFORE, "2027_01"]);
    await reader.query("COMMIT");
    const { code, output } = await up;
    undisturbed(await traffic.stop());

    assert.equal(code, 0, output);
    for (const name of TABLES) {
      const attached = name === "kept" ? [...AFTER, "default"] : AFTER;
      assert.deepEqual(await partitions(name), { attached, beside: ["2026_03"] }, name);
    }
  });
});

/** Returns when so many sessions of the provider have looked again and again at who is in their way. */
async function waiting(client: Client, up: Promise<CommandResult>, sessions: number): Promise<void> {
  const looks = new Map<number, Set<string>>();
  let ended: CommandResult | undefined;
  void up.then((result) => {
    ended = result;
  });
  const stuck = () => [...looks.values()].filter((times) => times.size >= LOOKS).length;
  while (stuck() < sessions) {
    assert.equal(ended, undefined, `up did not wait: ${ended?.output}`);
    const { rows } = await client.query<{ pid: number; started: string }>(
      `SELECT pid, query_start::text AS started FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'pulumi-pgpartition'
         AND state = 'idle' AND query ILIKE '%pg_locks%'`,
    );
    for (const { pid, started } of rows) looks.set(pid, (looks.get(pid) ?? new Set()).add(started));
    await nextTurn();
  }
}
