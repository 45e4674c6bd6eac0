/** What a preview shows of a reorganization is what the server gets, with the locks that are said. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { withCopyFacts } from "../../../postgres/catalog/copying";
import type { Sessions } from "../../../postgres/connection";
import { strongest } from "../../../postgres/locks";
import { preflight } from "../../../postgres/preflight";
import { readServer } from "../../../postgres/server";
import { LOCK_MODES, type LockMode } from "../../../postgres/statement";
import { renderStep } from "../../../postgres/statements";
import type { ReorganizationMethod } from "../../../topology/steps";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { carryOut, planOf, range, read, readParentOf, sessionsOn } from "../postgres/support";
import { leftovers, reorganizing, stepOf } from "./support";

const METHODS: ReorganizationMethod[] = ["moveInOneTransaction", "copyAndSwap"];

/** Everything that is no change: settings, looks at the catalog, and the beginning and end of transactions. */
const NO_CHANGE = /^(BEGIN|COMMIT|SET |WITH wanted|SELECT (?!side)|\n|SELECT FROM pg_catalog)/;

describeOnEachPostgres("statements of a reorganization", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;

  beforeEach(async () => {
    database = await server().createDatabase();
    client = await database.client();
    sessions = sessionsOn(database.connection);
    await client.query("CREATE SCHEMA s");
    await client.query("CREATE TABLE s.ref (r int PRIMARY KEY)");
    await client.query("INSERT INTO s.ref SELECT generate_series(0, 9)");
    await client.query("CREATE TABLE s.p (k int PRIMARY KEY, r int REFERENCES s.ref) PARTITION BY RANGE (k)");
    await client.query("CREATE TABLE s.a PARTITION OF s.p FOR VALUES FROM (0) TO (100)");
    await client.query("CREATE TABLE s.d PARTITION OF s.p DEFAULT");
    await client.query("INSERT INTO s.p SELECT i, i % 10 FROM generate_series(0, 149) i");
  });
  afterEach(async () => {
    await sessions.close();
    await database.drop();
  });

  const split = (method: ReorganizationMethod) =>
    reorganizing(sessions, method, ["a"], { a: range("0", "50"), b: range("50", "100") });

  for (const method of METHODS) {
    it(`are sent as they are shown (${method})`, async () => {
      const step = await split(method);
      const parent = await readParentOf(sessions);
      const shown = renderStep(step, parent).map(({ sql }) => sql);
      await sessions.close();
      await database.logStatements();
      sessions = sessionsOn(database.connection);
      const report = await carryOut(sessions, [step], { parent });
      assert.deepEqual(report.failed, []);
      const sent = (await database.statementLog())
        .filter(({ applicationName }) => applicationName === "pulumi-pgpartition")
        .map(({ sql }) => sql)
        .filter((sql) => !NO_CHANGE.test(sql));
      assert.deepEqual(sent, shown);
    });

    it(`take the locks that are said (${method})`, async () =>
      takeLocks(renderStep(await split(method), await readParentOf(sessions))));

    it(`take the locks that are said, below a partition (${method})`, async () => {
      await client.query("ALTER TABLE s.p RENAME TO old");
      await client.query(
        "CREATE TABLE s.p (t int, k int, r int REFERENCES s.ref, PRIMARY KEY (t, k)) PARTITION BY LIST (t)",
      );
      await client.query("CREATE TABLE s.t PARTITION OF s.p FOR VALUES IN (1) PARTITION BY RANGE (k)");
      await client.query("CREATE TABLE s.c PARTITION OF s.t FOR VALUES FROM (0) TO (100)");
      await client.query("CREATE TABLE s.e PARTITION OF s.t DEFAULT");
      await client.query("INSERT INTO s.p SELECT 1, i, i % 10 FROM generate_series(0, 149) i");
      const { children } = await read(sessions);
      const under = children[0]!;
      const source = under.level!.children.find(({ name }) => name === "c")!;
      const step = {
        ...stepOf(method, {
          sources: [source],
          targets: [
            { name: "c", bound: range("0", "50") },
            { name: "f", bound: range("50", "100") },
          ],
        }),
        under,
      };
      const root = await readParentOf(sessions);
      const facts = await sessions.withSession((session) => withCopyFacts(session, [step], root));
      await takeLocks(renderStep(step, facts));
      const { rows } = await client.query(
        "SELECT count(*)::int AS count, count(DISTINCT tableoid)::int AS tables FROM s.p",
      );
      assert.deepEqual(rows, [{ count: 150, tables: 3 }]);
    });
  }

  async function takeLocks(statements: ReturnType<typeof renderStep>): Promise<void> {
    const parts = statements.flatMap(({ part }) => (part === undefined ? [] : [part]));
    assert.ok(parts.length >= 2, parts.join(", "));
    for (const segment of transactions(statements)) {
      const predicted = Object.fromEntries(
        strongest(segment.flatMap(({ locks }) => locks)).map(({ relation, mode }) => [relation, mode]),
      );
      const { before, traced } = await trace(
        client,
        segment.map(({ sql }) => sql),
      );
      // Tables that the transaction makes are in nobody's way.
      const met = (modes: Record<string, LockMode>) =>
        Object.fromEntries(Object.entries(modes).filter(([relation]) => before.has(relation)));
      assert.deepEqual(met(traced), met(predicted), segment.map(({ sql }) => sql).join("\n"));
    }
    assert.deepEqual(await leftovers(client), []);
  }

  it("are refused beforehand where PostgreSQL or the data forbid it", async () => {
    await client.query("CREATE TABLE s.inb (k int REFERENCES s.p)");
    await client.query("CREATE VIEW s.v AS SELECT * FROM s.a");
    await client.query("CREATE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'");
    await client.query("CREATE TRIGGER t BEFORE INSERT ON s.a FOR EACH ROW EXECUTE FUNCTION s.f()");
    await client.query("CREATE INDEX own ON s.a (r)");
    await client.query("CREATE PUBLICATION everything FOR ALL TABLES");
    const step = await split("copyAndSwap");
    const set = await read(sessions);
    const findings = await sessions.withSession(async (session) =>
      preflight(session, await readServer(session), planOf(step), set),
    );
    const errors = findings.filter(({ severity }) => severity === "error").map(({ reason }) => reason);
    for (const words of [/Foreign keys of "s"."inb"/, /Publication everything/, /Trigger t /, /s\.v depends/]) {
      assert.ok(
        errors.some((reason) => words.test(reason)),
        `${words}: ${errors.join("\n")}`,
      );
    }
    assert.ok(findings.some(({ severity, reason }) => severity === "warning" && /Index own/.test(reason)));
    const report = await carryOut(sessions, [step]);
    assert.match(report.failed[0]?.error.reason ?? "", /Foreign keys of "s"."inb"/);
    assert.deepEqual(await leftovers(client), []);
  });

  it("need a key to tell a row and its copy by, unless there are few rows", async () => {
    await client.query("ALTER TABLE s.p DROP CONSTRAINT p_pkey");
    const step = await split("copyAndSwap");
    const report = await carryOut(sessions, [step]);
    assert.match(report.failed[0]?.error.reason ?? "", /no primary key/);
    const few = await carryOut(sessions, [{ ...step, method: "moveInOneTransaction" }]);
    assert.deepEqual(few.failed, []);
  });
});

/** One for each part, and one for each statement that stands alone. */
function transactions(statements: ReturnType<typeof renderStep>): ReturnType<typeof renderStep>[] {
  const found: ReturnType<typeof renderStep>[] = [];
  for (const statement of statements) {
    const last = found.at(-1);
    if (statement.part !== undefined || statement.alone || last?.at(-1)?.alone || last === undefined)
      found.push([statement]);
    else last.push(statement);
  }
  return found.flatMap((part) =>
    part.length > 1 && part.every(({ alone }) => alone) ? part.map((one) => [one]) : [part],
  );
}

/** Parameters of a batch: all blocks. */
const PARAMETERS: [RegExp, unknown[]][] = [
  [/FOR SHARE ON CONFLICT/, ["(0,0)", "(1000,0)"]],
  [/SET next = \$2/, [0, 1000]],
];

/** Runs statements in one transaction and tells the strongest lock on each table that it holds at the end. */
async function trace(
  client: Client,
  statements: string[],
): Promise<{ before: Set<string>; traced: Record<string, LockMode> }> {
  const before = new Set((await tables(client)).values());
  await client.query("BEGIN");
  const names = await tables(client);
  for (const sql of statements) {
    const parameters = PARAMETERS.find(([pattern]) => pattern.test(sql))?.[1];
    await client.query(sql, parameters);
  }
  for (const [oid, name] of await tables(client)) if (!names.has(oid)) names.set(oid, name);
  const { rows } = await client.query<{ relation: number; mode: string }>(
    "SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted",
  );
  await client.query("COMMIT");
  const traced: Record<string, LockMode> = {};
  for (const { relation, mode } of rows) {
    const name = names.get(relation);
    const found = LOCK_MODES.find((known) => `${known.replaceAll(" ", "")}LOCK` === mode.toUpperCase());
    if (name === undefined || found === undefined) continue;
    const known = traced[name];
    if (known === undefined || LOCK_MODES.indexOf(found) > LOCK_MODES.indexOf(known)) traced[name] = found;
  }
  return { before, traced };
}

async function tables(client: Client): Promise<Map<number, string>> {
  const { rows } = await client.query<{ oid: number; name: string }>(
    `SELECT c.oid, format('"%s"."%s"', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND n.nspname = 's'`,
  );
  return new Map(rows.map(({ oid, name }) => [oid, name]));
}
