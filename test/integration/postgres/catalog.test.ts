/** What is read from the catalog, whatever the settings of the role and whoever locks what. */
import assert from "node:assert/strict";
import { readSet } from "../../../postgres/catalog";
import { preflight } from "../../../postgres/preflight";
import { readServer } from "../../../postgres/server";
import { describeOnEachPostgres } from "../../support/postgres";
import { carryOut, oidOf, planOf, range, read, sessionsOn, step, withFamily } from "./support";

const STRANGE_NAMES = ["camelCase", 'quo"te', "two words", "select", "Äöü‐日本", "x".repeat(63), "ä".repeat(31)];

describeOnEachPostgres("catalog", (server) => {
  it("tells children, DEFAULT, foreign keys and sizes", () =>
    withFamily(server().createDatabase(), { withDefault: true, out: true, in: true }, async ({ client, sessions }) => {
      await client.query("VACUUM ANALYZE s.c1");
      const set = await read(sessions);
      const { parent } = set;
      assert.ok(parent);
      assert.deepEqual([parent.strategy, parent.keyColumns, parent.keyTypes], ["range", ["k"], ["integer"]]);
      assert.deepEqual(parent.references, [{ schema: "s", name: "ref" }]);
      assert.deepEqual(parent.referencedBy, [{ schema: "s", name: "inb" }]);
      assert.deepEqual(parent.ancestors, [{ schema: "s", name: "g" }]);
      assert.equal(parent.defaultPartition?.name, "d");
      assert.equal(parent.major, server().major);
      assert.deepEqual(
        set.children.map(({ name, bound, rows, state }) => [name, bound, rows, state]),
        [
          ["c0", { from: "0", to: "10" }, -1, "live"],
          ["c1", { from: "10", to: "20" }, 10, "live"],
          ["d", { default: true }, -1, "live"],
        ],
      );
      const c1 = set.children.find(({ name }) => name === "c1");
      const { rows } = await client.query<{ bytes: number }>("SELECT pg_total_relation_size('s.c1')::int AS bytes");
      // The free space and visibility maps are in the total and not in relpages.
      assert.ok(c1?.bytes && c1.bytes > 0 && c1.bytes <= Number(rows[0]?.bytes), String(c1?.bytes));
      assert.deepEqual(parent.childFacts[c1.oid]?.foreignKeys, [
        {
          name: "fk",
          references: [{ schema: "s", name: "ref" }],
          divided: [],
          partitioned: false,
          inherited: true,
          on: { schema: "s", name: "c1" },
        },
      ]);
    }));

  it("tells a partition once, whatever a broken off REINDEX CONCURRENTLY has left of its TOAST table's index", () =>
    withFamily(server().createDatabase(), {}, async ({ client, database, sessions }) => {
      const other = await database.client();
      await other.query("BEGIN; LOCK TABLE s.c1 IN ROW EXCLUSIVE MODE");
      await client.query("SET statement_timeout = '500ms'");
      await assert.rejects(client.query("REINDEX TABLE CONCURRENTLY s.c1"), /statement timeout/);
      await other.query("ROLLBACK");
      const { rows } = await client.query<{ indexes: number }>(
        `SELECT count(*)::int AS indexes FROM pg_index i JOIN pg_class c ON c.reltoastrelid = i.indrelid
         WHERE c.oid = 's.c1'::regclass`,
      );
      assert.deepEqual(rows, [{ indexes: 2 }]);
      const { children } = await read(sessions);
      assert.deepEqual(
        children.map(({ name }) => name),
        ["c0", "c1"],
      );
    }));

  it("tells detached tables by their OID, and strangers with what does not fit", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions }) => {
      const oid = await oidOf(client, "s.c1");
      await client.query("ALTER TABLE s.p DETACH PARTITION s.c1");
      await client.query("ALTER TABLE s.c1 RENAME TO moved");
      await client.query("CREATE TABLE s.fits (LIKE s.p INCLUDING ALL)");
      await client.query("CREATE TABLE s.misfit (tenant bigint NOT NULL, k int, extra int)");
      await client.query("CREATE VIEW s.view AS SELECT 1 AS one");
      const request = {
        schema: "s",
        table: "p",
        names: ["c0", "fits", "misfit", "view", "none"].map((name) => ({ schema: "s", name })),
      };
      const set = await sessions.withSession((session) =>
        readSet(session, { ...request, known: { c1: oid }, bounds: { c1: range("10", "20") } }),
      );
      assert.deepEqual(
        set.detached.map(({ name, oid: found, bound, state }) => [name, found, bound, state]),
        [["moved", oid, { from: "10", to: "20" }, "detached"]],
      );
      assert.deepEqual(Object.fromEntries(set.strangers.map(({ name, misfits }) => [name, misfits])), {
        fits: [],
        misfit: [
          "column tenant is bigint, not integer",
          "column k must be NOT NULL",
          "column r is missing",
          "column note is missing",
          "column extra is not in the parent",
        ],
        view: ["it is a view, not a table"],
      });
    }));

  it("finds no parent where there is none", () =>
    withFamily(server().createDatabase(), {}, async ({ sessions }) => {
      const set = await read(sessions, ["c1"], "nobody");
      assert.equal(set.parent, undefined);
      assert.deepEqual(
        set.strangers.map(({ name, partitionOf }) => [name, partitionOf]),
        [["c1", { schema: "s", name: "p" }]],
      );
    }));

  it("waits for no lock on a partition", () =>
    withFamily(
      server().createDatabase(),
      { withDefault: true, out: true, in: true },
      async ({ client, sessions, database }) => {
        const before = await read(sessions);
        const locker = await database.client();
        await locker.query("BEGIN");
        await locker.query("LOCK TABLE ONLY s.c0, ONLY s.c1, ONLY s.d, s.inb, s.ref IN ACCESS EXCLUSIVE MODE");
        assert.deepEqual(await read(sessions), before);
        await locker.query("LOCK TABLE s.p IN ACCESS EXCLUSIVE MODE");
        assert.deepEqual(await read(sessions), before);
        await client.query("SELECT 1");
      },
    ));

  it("is the same under any settings of the role", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions, database }) => {
      await client.query(
        "CREATE TABLE s.t (ts timestamptz NOT NULL, d date, f float8 DEFAULT 0.1) PARTITION BY RANGE (ts)",
      );
      await client.query(
        "CREATE TABLE s.t1 PARTITION OF s.t FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00')",
      );
      await client.query("CREATE TABLE s.l (b text) PARTITION BY LIST (b)");
      await client.query(String.raw`CREATE TABLE s.l1 PARTITION OF s.l FOR VALUES IN (E'it''s \\ here', NULL)`);
      const before = [await read(sessions, [], "t"), await read(sessions, [], "l")];
      const name = database.connection.database;
      const settings = {
        DateStyle: "German",
        TimeZone: "Europe/Paris",
        search_path: "s, public",
        standard_conforming_strings: "off",
        extra_float_digits: "0",
        IntervalStyle: "iso_8601",
        statement_timeout: "3ms",
      };
      for (const [key, value] of Object.entries(settings)) {
        await client.query(
          `ALTER DATABASE ${client.escapeIdentifier(name)} SET ${key} = ${value === "s, public" ? value : `'${value}'`}`,
        );
      }
      const fresh = sessionsOn(database.connection);
      assert.deepEqual([await read(fresh, [], "t"), await read(fresh, [], "l")], before);
      assert.deepEqual(before[0]?.children[0]?.bound, { from: "2026-01-01 00:00:00+00", to: "2026-02-01 00:00:00+00" });
      assert.deepEqual(before[1]?.children[0]?.bound, { values: ["it's \\ here", null] });
      const sent = await carryOut(
        fresh,
        [step("partitionOf", "t2", { bound: range("2026-02-01 00:00:00+00", "2026-03-01 00:00:00+00") })],
        {
          parent: before[0]!.parent!,
        },
      );
      assert.deepEqual(sent.failed, []);
      await fresh.close();
    }));

  it("reads and makes partitions whose names need care", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions }) => {
      const schema = 'Sche"ma';
      await client.query('CREATE SCHEMA "Sche""ma"');
      for (const [index, table] of STRANGE_NAMES.entries()) {
        const quoted = `"Sche""ma".${client.escapeIdentifier(table)}`;
        const column = client.escapeIdentifier(table);
        await client.query(
          `CREATE TABLE ${quoted} (${column} text NOT NULL, PRIMARY KEY (${column})) PARTITION BY LIST (${column})`,
        );
        await client.query(`COMMENT ON COLUMN ${quoted}.${column} IS 'c'`);
        const request = { schema, table, names: [], known: {} };
        const { parent } = await sessions.withSession((session) => readSet(session, request));
        assert.ok(parent);
        const child = `${index}${[...table].slice(0, 30).join("")}`;
        const value = "it's \\ 'x'";
        const report = await carryOut(
          sessions,
          [
            step("likeAttach", child, { schema, bound: { values: [value] } }),
            step("partitionOf", `${child}d`, { schema, bound: { default: true } }),
          ],
          { parent },
        );
        assert.deepEqual(report.failed, []);
        const set = await sessions.withSession((session) => readSet(session, request));
        assert.deepEqual(
          set.children.map(({ name, bound }) => [name, bound]),
          [
            [child, { values: [value] }],
            [`${child}d`, { default: true }],
          ],
        );
        const guarded = await carryOut(
          sessions,
          [step("guard", `${child}d`, { schema, excludes: [{ values: ["a", null] }] })],
          { parent: set.parent! },
        );
        assert.deepEqual([guarded.done.length, guarded.failed], [1, []]);
        const oid = set.children.find(({ name }) => name === child)!.oid;
        const removed = await carryOut(
          sessions,
          [step("detachPlain", child, { schema, oid }), step("dropTable", child, { schema, oid })],
          { parent: set.parent! },
        );
        assert.deepEqual([removed.done.length, removed.failed], [2, []]);
      }
    }));

  it("identifies the server for a superuser and for an ordinary role", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions, database }) => {
      const role = `plain_${database.connection.database}`;
      await client.query(`CREATE ROLE ${role} LOGIN PASSWORD 'plain'`);
      const own = await sessions.withSession(readServer);
      const plain = sessionsOn({ ...database.connection, user: role, password: "plain" });
      const seen = await plain.withSession(readServer);
      await plain.close();
      const { rows } = await client.query<{ id: string }>(
        "SELECT system_identifier::text AS id FROM pg_control_system()",
      );
      assert.equal(own.systemIdentifier, rows[0]?.id);
      assert.equal(own.major, server().major);
      assert.deepEqual(seen, { ...own, role });
      await client.query("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC");
      const blind = sessionsOn({ ...database.connection, user: role, password: "plain" });
      const unknown = await blind.withSession(readServer);
      await blind.close();
      assert.equal(unknown.systemIdentifier, undefined);
      assert.equal(unknown.warnings.length, 1);
      await client.query(`DROP ROLE ${role}`);
    }));

  it("names older snapshots in the way of an interrupted detach", () =>
    withFamily(server().createDatabase(), {}, async ({ sessions, database }) => {
      const report = await database.client("nightly report");
      await report.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
      await report.query("SELECT 1 FROM pg_class");
      const set = await read(sessions);
      const look = (method: "finalize" | "detachConcurrently") =>
        sessions.withSession(async (session) =>
          preflight(session, await readServer(session), planOf(step(method, "c1")), set),
        );
      let findings = await look("finalize");
      // A snapshot counts when it is a second old.
      while (findings.length === 0) findings = await look("finalize");
      assert.match(findings[0]?.reason ?? "", /application nightly report.* has an older snapshot/);
      assert.deepEqual(await look("detachConcurrently"), []);
    }));

  it("says before anything is done what would make the plan fail or wait", () =>
    withFamily(server().createDatabase(), { withDefault: true }, async ({ client, sessions, database }) => {
      const role = `stranger_${database.connection.database}`;
      await client.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`);
      await client.query(`GRANT USAGE ON SCHEMA s TO ${role}`);
      const blocker = await database.client("forgetful");
      await blocker.query("BEGIN");
      await blocker.query("SELECT * FROM s.p");
      const other = await database.client();
      await other.query("BEGIN");
      await other.query("DELETE FROM s.p WHERE k = 1000");
      await other.query("PREPARE TRANSACTION 'left over'");
      const set = await read(sessions);
      const plan = planOf(
        step("likeAttach", "c2", { bound: range("20", "30") }),
        step("likeAttach", "c3", { bound: range("30", "40") }),
      );
      const look = async (on: typeof sessions) =>
        on.withSession(async (session) => preflight(session, await readServer(session), plan, set));
      // A session counts when it has been idle in its transaction for a second.
      let findings = await look(sessions);
      while (findings.length < 2) findings = await look(sessions);
      assert.deepEqual(
        findings.map(({ severity, path }) => [severity, path]),
        [
          ["warning", ""],
          ["warning", ""],
        ],
      );
      assert.match(findings[0]!.reason + findings[1]!.reason, /application forgetful/);
      assert.match(findings[0]!.reason + findings[1]!.reason, /Prepared transaction "left over"/);
      const strangerSessions = sessionsOn({ ...database.connection, user: role, password: "x" });
      const refused = (await look(strangerSessions)).filter(({ severity }) => severity === "error");
      await strangerSessions.close();
      assert.match(refused[0]?.reason ?? "", /belongs to postgres; stranger_\w+ is not a member/);
      assert.match(refused[1]?.reason ?? "", /may not create tables in schema s: GRANT CREATE/);
      assert.deepEqual(await sessions.withSession(async (s) => preflight(s, await readServer(s), planOf(), set)), []);
      await client.query(`REVOKE ALL ON SCHEMA s FROM ${role}`);
      await client.query(`DROP ROLE ${role}`);
    }));
});
