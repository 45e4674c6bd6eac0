import assert from "node:assert/strict";
import { type Client, DatabaseError } from "pg";
import { IdentityError } from "../../../postgres/errors";
import type { Lock, Statement } from "../../../postgres/statement";
import {
  applyStatements,
  createTable,
  dropTable,
  renderDropTable,
  TableRefusal,
  type UnderLocks,
} from "../../../postgres/table/apply";
import { NO_CHANGE } from "../../../postgres/table/change";
import { compareTable } from "../../../postgres/table/compare";
import { renderCreateTable } from "../../../postgres/table/create";
import { planTable } from "../../../postgres/table/plan";
import { readTable } from "../../../postgres/table/read";
import type { ActualTable, DeclaredTable } from "../../../topology/table/model";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { chatMessages, declared, PREREQUISITES, tickets } from "./tables";

const EVENTS = {
  name: "events",
  partitionBy: { range: { column: "at" } },
  columns: [
    { name: "at", type: "timestamptz" },
    { name: "note", type: "text" },
  ],
  primaryKey: ["at"],
};

/** The declaration with more columns, or other properties. */
function events(more: { columns?: object[] } & Record<string, unknown> = {}): DeclaredTable {
  return declared({ ...EVENTS, ...more, columns: [...EVENTS.columns, ...(more.columns ?? [])] });
}

function refused(property: string, words: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof TableRefusal && error.property === property && words.test(error.message);
}

const sqlstate = (code: string) => (error: unknown) => error instanceof DatabaseError && error.code === code;

describeOnEachPostgres("creating, changing and dropping a parent", (server) => {
  let database: TestDatabase;
  let client: Client;
  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });
  beforeEach(async () => {
    await client.query(PREREQUISITES);
  });

  async function read(table: DeclaredTable): Promise<ActualTable> {
    const actual = await readTable(client, table);
    assert.ok(actual);
    return actual;
  }

  async function plan(table: DeclaredTable) {
    const actual = await read(table);
    return (await planTable(client, table, actual)).change;
  }

  /** With two levels of partitions, one row each in the leaves. */
  async function createWithPartitions(): Promise<void> {
    await createTable(client, events());
    await client.query(`
      CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01') PARTITION BY RANGE (at);
      CREATE TABLE events_1a PARTITION OF events_1 DEFAULT;
      CREATE TABLE events_2 PARTITION OF events DEFAULT;
      INSERT INTO events VALUES ('2026-01-05'), ('2026-03-05')`);
  }

  /** Locks that a session holds on permanent tables, as another sees them, by qualified name. */
  async function heldLocks(pid: number, watcher: Client): Promise<Map<string, string[]>> {
    const { rows } = await watcher.query<{ relation: string; modes: string[] }>(
      `SELECT format('"%s"."%s"', n.nspname, c.relname) AS relation, array_agg(DISTINCT l.mode ORDER BY l.mode) AS modes
         FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE l.pid = $1 AND l.granted AND c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%'
        GROUP BY 1`,
      [pid],
    );
    return new Map(rows.map(({ relation, modes }) => [relation, modes]));
  }

  /** Runs statements and compares the locks then held with those they declare; rolls back. */
  async function assertLocks(statements: Statement[]): Promise<void> {
    const predicted = new Map<string, Set<string>>();
    const add = ({ relation, mode }: Lock) =>
      predicted.set(relation, (predicted.get(relation) ?? new Set()).add(PG_LOCKS_NAME[mode]!));
    await client.query("BEGIN");
    for (const { sql, locks } of statements) {
      await client.query(sql);
      locks.forEach(add);
    }
    const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    // It alone sees what it made, and only others still see what it dropped.
    const watcher = await database.client("watcher");
    const held = new Map([...(await heldLocks(rows[0]!.pid, client)), ...(await heldLocks(rows[0]!.pid, watcher))]);
    await watcher.end();
    await client.query("ROLLBACK");
    const strongest = (modes: Iterable<string>) =>
      [...modes].sort((a, b) => LOCK_ORDER.indexOf(b) - LOCK_ORDER.indexOf(a))[0];
    const shown = (map: Map<string, Iterable<string>>) =>
      [...map].map(([relation, modes]) => `${relation} ${strongest(modes)}`).sort();
    assert.deepEqual(shown(held), shown(predicted), statements.map(({ sql }) => sql).join("; "));
  }

  it("locks what the statements say: creation, dropping, and each change in place", async () => {
    await assertLocks(renderCreateTable(declared(chatMessages), new Map()));
    await createTable(client, declared(chatMessages));
    await assertLocks(renderDropTable(await read(declared(chatMessages)), new Map(), server().major));
    await createWithPartitions();
    await assertLocks(renderDropTable(await read(events()), new Map(), server().major));
    const change = async (more: Parameters<typeof events>[0]) => (await plan(events(more))).statements;
    const statements = [
      ...(await change({ columns: [{ name: "extra", type: "int", comment: "c", statistics: 5 }] })),
      ...(await change({ comment: "all events" })),
    ];
    const { descendants } = (await read(events())) ?? { descendants: [] };
    assert.equal(descendants.length, 3);
    // The comment of the column goes to each partition as well.
    assert.equal(statements.length, 6 + descendants.length);
    for (const one of statements) {
      if (!one.sql.includes('"extra"') || one.sql.includes("ADD COLUMN")) {
        await assertLocks([one]);
      }
    }
    await client.query("ALTER TABLE events ALTER COLUMN note SET DEFAULT 'x', ALTER COLUMN note SET STATISTICS 7");
    await assertLocks(await change({}));
    const [at, note] = EVENTS.columns;
    const statistics = declared({ ...EVENTS, columns: [at, { ...note, default: "'x'", statistics: 9 }] });
    await assertLocks((await plan(statistics)).statements);
  });

  it("adds columns that need no rewrite while rows are there, and fills old rows with the constant", async () => {
    await createWithPartitions();
    const table = events({
      columns: [
        { name: "plain", type: "int" },
        { name: "constant", type: "varchar(9)", default: "'old'", comment: "with a comment", statistics: 50 },
        { name: "stable", type: "timestamptz", default: "now()" },
        { name: "required", type: "int", nullable: false, default: "7" },
      ],
    });
    const files = async () =>
      (await client.query("SELECT relname, relfilenode FROM pg_class WHERE relname ~ '^events' ORDER BY 1")).rows;
    const before = await files();
    const change = await plan(table);
    assert.deepEqual(change.refused, []);
    await applyStatements(client, change.statements);
    assert.deepEqual(await files(), before);
    assert.deepEqual(await plan(table), NO_CHANGE);
    const { rows } = await client.query("SELECT DISTINCT plain, constant, required FROM events");
    assert.deepEqual(rows, [{ plain: null, constant: "old", required: 7 }]);
  });

  it("refuses what would rewrite, scan or build on tables with rows, one by one and with the safe way", async () => {
    await createWithPartitions();
    const table = events({
      columns: [
        { name: "volatile", type: "float8", default: "random()" },
        { name: "drawn", type: "bigint", default: "nextval('ticket_numbers')" },
        { name: "counted", type: "bigserial" },
        { name: "numbered", type: "bigint", identity: "always" },
        { name: "computed", type: "text", generated: { expression: "note || '!'" } },
        { name: "required", type: "int", nullable: false },
      ],
      unique: [{ columns: ["note", "at"] }],
      indexes: [{ name: "some_index", columns: ["note"] }],
    });
    await client.query("CREATE TABLE notes (id text PRIMARY KEY)");
    const { statements, alterations, refused } = await plan(table);
    assert.deepEqual([statements, alterations], [[], []]);
    assert.deepEqual(
      refused.map(({ difference }) => difference.path),
      ["columns[2]", "columns[3]", "columns[4]", "columns[5]", "columns[6]", "columns[7]"],
    );
    for (const { difference, reason } of refused) {
      assert.match(reason, /The safe way: /, difference.path);
    }
    const { rows } = await client.query("SELECT is_called FROM ticket_numbers");
    assert.deepEqual(rows, [{ is_called: false }], "trying a column draws no number");
  });

  it("makes any addition while there are no partitions", async () => {
    await createTable(client, events());
    await client.query("CREATE TABLE notes (id text PRIMARY KEY)");
    const table = events({
      columns: [
        { name: "counted", type: "bigserial" },
        { name: "computed", type: "text", generated: { expression: "note || '!'" } },
        { name: "required", type: "int", nullable: false },
      ],
      unique: [{ columns: ["note", "at"] }],
      checks: [{ expression: "note <> ''" }],
      foreignKeys: [{ columns: ["note"], references: { table: "notes" }, initiallyDeferred: true }],
      indexes: [{ name: "some_index", columns: ["note", "counted"], unique: false }],
    });
    const change = await plan(table);
    assert.deepEqual(change.refused, []);
    await applyStatements(client, change.statements);
    const actual = await read(table);
    assert.deepEqual(await compareTable(client, table, actual), []);
  });

  it("leaves a table with another partition key altogether alone", async () => {
    await client.query("CREATE TABLE events (at timestamptz, note text) PARTITION BY LIST (note)");
    const { statements, refused } = await plan(events({ comment: "never set" }));
    assert.deepEqual(statements, []);
    assert.ok(refused.some(({ difference }) => difference.kind === "partitionKey"));
  });

  it("creates all or nothing", async () => {
    const table = events({ indexes: [{ name: "users", columns: ["note"] }] });
    await assert.rejects(createTable(client, table), sqlstate("42P07"));
    assert.equal(await readTable(client, table), undefined);
    const { rows } = await client.query("SELECT 1 AS usable");
    assert.deepEqual(rows, [{ usable: 1 }]);
  });

  it("gives owner, comments and statistics, in the schema declared", async () => {
    await client.query(`CREATE ROLE "table owner ${database.connection.database}"; CREATE SCHEMA other`);
    const owner = `table owner ${database.connection.database}`;
    const made = await createTable(
      client,
      events({
        schema: "other",
        owner,
        comment: "it's",
        columns: [{ name: "x", type: "int", statistics: 7, comment: "\\" }],
      }),
    );
    assert.equal(made.owner, owner);
    assert.equal(made.comment, "it's");
    assert.deepEqual(made.columns.map(({ comment, statistics }) => [comment, statistics])[2], ["\\", 7]);
    await client.query(`DROP TABLE other.events; DROP ROLE "${owner}"`);
  });

  it("refuses to create a table without declared columns, and what the server is too old for", async () => {
    const adopted = declared({ name: "absent", partitionBy: { list: { column: "a" } } });
    await assert.rejects(createTable(client, adopted), refused("columns", /does not exist/));
    const virtual = events({
      columns: [{ name: "v", type: "text", generated: { expression: "note", kind: "virtual" } }],
    });
    const distinct = events({ unique: [{ columns: ["at"], nullsNotDistinct: true }] });
    const { major } = server();
    if (major < 18)
      await assert.rejects(createTable(client, virtual), refused("columns[2].generated.kind", /PostgreSQL 18/));
    if (major < 15)
      await assert.rejects(createTable(client, distinct), refused("unique[0].nullsNotDistinct", /PostgreSQL 15/));
    if (major >= 15) assert.equal((await createTable(client, distinct)).unique[0]?.nullsNotDistinct, true);
  });

  it("a fragment of SQL cannot become more than it stands for", async () => {
    const smuggled = { name: "x", type: "int", default: "1, smuggled int" };
    await assert.rejects(createTable(client, events({ columns: [smuggled] })), sqlstate("42601"));
    assert.equal(await readTable(client, events()), undefined);
  });

  it("passes its locks to the ladder, and is called again when it did not get them", async () => {
    const seen: Lock[] = [];
    let calls = 0;
    const twice: UnderLocks = async (locks, transaction) => {
      seen.push(...locks);
      calls += 1;
      await assert.rejects(transaction(), sqlstate("55P03"));
      await blocker.query("ROLLBACK");
      return transaction();
    };
    const blocker = await database.client();
    await createTable(client, events());
    await blocker.query("BEGIN; LOCK TABLE events IN ACCESS SHARE MODE");
    await client.query("SET lock_timeout TO '50ms'");
    const table = events({ columns: [{ name: "x", type: "int" }] });
    await applyStatements(client, (await plan(table)).statements, twice);
    assert.equal(calls, 1);
    assert.deepEqual(seen, [{ relation: '"public"."events"', mode: "ACCESS EXCLUSIVE", hold: "instant" }]);
    assert.deepEqual(await plan(table), NO_CHANGE);
  });

  it("drops a table with empty partitions, and one with rows only when told to", async () => {
    await createWithPartitions();
    const recorded = await read(events());
    await assert.rejects(dropTable(client, recorded, "refuse"), refused("onDelete", /events_1a|events_2/));
    assert.ok(await readTable(client, recorded));
    await client.query("DELETE FROM events");
    assert.equal(await dropTable(client, recorded, "refuse"), "dropped");
    assert.equal(await dropTable(client, recorded, "refuse"), "absent");
    await createWithPartitions();
    assert.equal(await dropTable(client, await read(events()), "drop"), "dropped");
    const { rows } = await client.query("SELECT relname FROM pg_class WHERE relname LIKE 'events%'");
    assert.deepEqual(rows, []);
  });

  it("does not drop rows that were written while it waited", async () => {
    await createWithPartitions();
    await client.query("DELETE FROM events");
    const writer = await database.client("writer");
    await writer.query("BEGIN; INSERT INTO events_1a VALUES ('2026-01-07')");
    const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    const dropping = dropTable(client, await read(events()), "refuse");
    const outcome = assert.rejects(dropping, refused("onDelete", /events_1a/));
    const waits = "SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock'";
    // Not by the writer: what a transaction sees of the activity stays as it first saw it.
    const watcher = await database.client("watcher");
    while ((await watcher.query(waits, [rows[0]!.pid])).rows.length === 0);
    await writer.query("COMMIT");
    await outcome;
  });

  it("sees rows that row security hides from the owner", async () => {
    await createWithPartitions();
    const role = `owner_${database.connection.database}`;
    await client.query(`
      CREATE ROLE ${role}; GRANT ALL ON SCHEMA public TO ${role}; ALTER TABLE events OWNER TO ${role};
      ALTER TABLE events ENABLE ROW LEVEL SECURITY; ALTER TABLE events FORCE ROW LEVEL SECURITY`);
    const recorded = await read(events());
    await client.query(`SET ROLE ${role}`);
    await assert.rejects(dropTable(client, recorded, "refuse"), sqlstate("42501"));
    await client.query("RESET ROLE");
    await assert.rejects(dropTable(client, recorded, "refuse"), refused("onDelete", /has rows/));
    await client.query(`DROP TABLE events; DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });

  it("never drops another table of that name, what others stand on, or a half detached partition", async () => {
    await createTable(client, events());
    const recorded = await read(events());
    await client.query("DROP TABLE events");
    await createTable(client, events());
    await assert.rejects(dropTable(client, recorded, "drop"), (error) => error instanceof IdentityError);
    await client.query("CREATE VIEW on_it AS SELECT * FROM events");
    await assert.rejects(dropTable(client, await read(events()), "drop"), sqlstate("2BP01"));
    await client.query("DROP VIEW on_it");
    await client.query("CREATE TABLE half PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')");
    const reader = await database.client();
    await reader.query("BEGIN; SELECT FROM events");
    await client.query("SET lock_timeout TO '50ms'");
    await assert.rejects(client.query("ALTER TABLE events DETACH PARTITION half CONCURRENTLY"), sqlstate("55P03"));
    await reader.query("ROLLBACK");
    await assert.rejects(
      dropTable(client, await read(events()), "drop"),
      refused("onDelete", /"half" is half detached/),
    );
    assert.ok(await readTable(client, events()));
  });

  it("reads tables with identity and serial whatever else is in the database, and nothing else of that name", async () => {
    await createTable(client, declared(tickets));
    await client.query("CREATE TABLE plain (a int); CREATE VIEW seen AS SELECT 1 AS a");
    assert.equal(await readTable(client, { schema: "public", name: "plain" }), undefined);
    assert.equal(await readTable(client, { schema: "public", name: "seen" }), undefined);
    assert.equal(await readTable(client, { schema: "nowhere", name: "tickets" }), undefined);
    assert.deepEqual(await plan(declared(tickets)), NO_CHANGE);
  });
});

const PG_LOCKS_NAME: Record<Lock["mode"], string> = {
  "ACCESS SHARE": "AccessShareLock",
  "ROW SHARE": "RowShareLock",
  "ROW EXCLUSIVE": "RowExclusiveLock",
  "SHARE UPDATE EXCLUSIVE": "ShareUpdateExclusiveLock",
  SHARE: "ShareLock",
  "SHARE ROW EXCLUSIVE": "ShareRowExclusiveLock",
  EXCLUSIVE: "ExclusiveLock",
  "ACCESS EXCLUSIVE": "AccessExclusiveLock",
};
const LOCK_ORDER = Object.values(PG_LOCKS_NAME);
