/** The locks that a statement is said to take are those that the server shows while it has them. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { strongest } from "../../../postgres/locks";
import { segmentsOf } from "../../../postgres/segments";
import { LOCK_MODES, type LockMode } from "../../../postgres/statement";
import { renderStep } from "../../../postgres/statements";
import type { Step } from "../../../topology/model";
import { describeOnEachPostgres } from "../../support/postgres";
import { type Family, oidOf, range, readParentOf, step, withFamily } from "./support";

const FAMILIES: [string, Family][] = [
  ["alone", {}],
  ["with DEFAULT", { withDefault: true }],
  ["with a foreign key out", { out: true }],
  ["with a foreign key in", { in: true }],
  ["with DEFAULT and foreign keys both ways", { withDefault: true, out: true, in: true }],
];

interface Case {
  title: string;
  /** Statements before the step. */
  prepare?: string[];
  make(client: Client): Promise<Step>;
  only?(family: Family): boolean;
}

const GRANDPARENT = '"s"."g"';

const NEW = range("20", "30");

const CASES: Case[] = [
  { title: "partitionOf", make: async () => step("partitionOf", "c2", { bound: NEW }) },
  { title: "likeAttach", make: async () => step("likeAttach", "c2", { bound: NEW }) },
  {
    title: "attach",
    prepare: ["CREATE TABLE s.c2 (LIKE s.p INCLUDING ALL)", "INSERT INTO s.c2 VALUES (1, 25, 5)"],
    make: async (client) => step("attach", "c2", { bound: NEW, oid: await oidOf(client, "s.c2") }),
  },
  {
    title: "detachPlain",
    make: async (client) => step("detachPlain", "c1", { oid: await oidOf(client, "s.c1") }),
  },
  {
    title: "detachAttach",
    make: async (client) => step("detachAttach", "c1", { bound: range("10", "15"), oid: await oidOf(client, "s.c1") }),
    prepare: ["DELETE FROM s.p WHERE k >= 15"],
  },
  {
    title: "dropTable",
    prepare: ["ALTER TABLE s.p DETACH PARTITION s.c1"],
    make: async (client) => step("dropTable", "c1", { oid: await oidOf(client, "s.c1") }),
  },
  {
    title: "rename",
    make: async (client) => {
      const current = { schema: "s", name: "c1" };
      return step("rename", "renamed", { schema: "t", current, oid: await oidOf(client, "s.c1") });
    },
    prepare: ["CREATE SCHEMA t"],
  },
  {
    title: "guard",
    make: async () => step("guard", "d", { excludes: [NEW] }),
    only: ({ withDefault }) => withDefault === true,
  },
  {
    title: "unguard",
    prepare: ["ALTER TABLE s.d ADD CONSTRAINT pgpartition_guard CHECK (k > 3)"],
    make: async () => step("unguard", "d"),
    only: ({ withDefault }) => withDefault === true,
  },
];

describeOnEachPostgres("locks of statements", (server) => {
  for (const [name, family] of FAMILIES) {
    for (const { title, prepare = [], make, only } of CASES) {
      if (only && !only(family)) continue;
      it(`${title}, ${name}`, () =>
        withFamily(server().createDatabase(), family, async ({ client, sessions }) => {
          for (const sql of prepare) await client.query(sql);
          const planned = await make(client);
          // Foreign keys of a detached child are known to the executor because it was a child when the plan was made.
          const parent = await readParentOf(sessions);
          if (title === "dropTable" && family.out) {
            const references = { schema: "s", name: "ref" };
            const foreignKeys = [{ name: "fk", references }];
            parent.childFacts[planned.oid ?? 0] = { relkind: "r", foreignKeys, descendants: [] };
          }
          const statements = renderStep(planned, parent);
          assert.ok(statements.length > 0);
          for (const segment of segmentsOf([{ step: planned, statements }])) {
            const sql = segment.items.map(({ statement }) => statement.sql);
            const predicted = strongest(segment.items.flatMap(({ statement }) => statement.locks));
            const traced = await tracedLocks(client, sql);
            const expected = Object.fromEntries(predicted.map(({ relation, mode }) => [relation, mode]));
            // DETACH reads the ancestors' constraint only when this session has not done so before.
            if (title === "detachPlain" && traced[GRANDPARENT] === undefined) delete expected[GRANDPARENT];
            assert.deepEqual(traced, expected, sql.join("; "));
          }
        }));
    }
  }

  it("finalize and a concurrent detach, with foreign keys both ways", () =>
    withFamily(server().createDatabase(), { out: true, in: true }, async ({ client, database, sessions }) => {
      const blocker = await database.client();
      await blocker.query("BEGIN");
      await blocker.query("SELECT * FROM s.p");
      await client.query("SET lock_timeout = '50ms'");
      const oid = await oidOf(client, "s.c1");
      const parent = await readParentOf(sessions);
      const [concurrently] = renderStep(step("detachConcurrently", "c1", { oid }), parent);
      await assert.rejects(client.query(concurrently!.sql), { code: "55P03" });
      await blocker.query("COMMIT");
      const [finalize] = renderStep(step("finalize", "c1", { oid }), parent);
      const traced = await tracedLocks(client, [finalize!.sql]);
      assert.deepEqual(traced, Object.fromEntries(finalize!.locks.map(({ relation, mode }) => [relation, mode])));
      assert.deepEqual(concurrently!.locks, finalize!.locks);
    }));

  it("a sub-partitioned child and a sub-partitioned DEFAULT", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions }) => {
      await client.query("CREATE TABLE s.d PARTITION OF s.p DEFAULT PARTITION BY RANGE (k)");
      await client.query("CREATE TABLE s.d1 PARTITION OF s.d FOR VALUES FROM (100) TO (200)");
      await client.query("CREATE TABLE s.sub PARTITION OF s.p FOR VALUES FROM (20) TO (30) PARTITION BY RANGE (k)");
      await client.query("CREATE TABLE s.sub1 PARTITION OF s.sub FOR VALUES FROM (20) TO (25)");
      const oid = await oidOf(client, "s.sub");
      const parent = await readParentOf(sessions);
      const rebound = renderStep(step("detachAttach", "sub", { oid, bound: range("20", "40") }), parent);
      const predicted = strongest(rebound.flatMap(({ locks }) => locks));
      assert.deepEqual(
        await tracedLocks(
          client,
          rebound.map(({ sql }) => sql),
        ),
        Object.fromEntries(predicted.map(({ relation, mode }) => [relation, mode])),
      );
    }));
});

/** Runs statements in one transaction, commits it, and tells the strongest lock on each table that it held at the end. */
async function tracedLocks(client: Client, statements: string[]): Promise<Record<string, LockMode>> {
  const names = await tableNames(client);
  await client.query("BEGIN");
  for (const sql of statements) await client.query(sql);
  for (const [oid, name] of await tableNames(client)) if (!names.has(oid)) names.set(oid, name);
  const { rows } = await client.query<{ relation: number; mode: string }>(
    "SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted",
  );
  await client.query("COMMIT");
  const strongestModes: Record<string, LockMode> = {};
  for (const { relation, mode } of rows) {
    const name = names.get(relation);
    if (name === undefined) continue;
    const found = LOCK_MODES.find((known) => `${known.replaceAll(" ", "")}LOCK` === mode.toUpperCase());
    const known = strongestModes[name];
    assert.ok(found, mode);
    if (known === undefined || LOCK_MODES.indexOf(found) > LOCK_MODES.indexOf(known)) strongestModes[name] = found;
  }
  return strongestModes;
}

async function tableNames(client: Client): Promise<Map<number, string>> {
  const { rows } = await client.query<{ oid: number; name: string }>(
    `SELECT c.oid, format('"%s"."%s"', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('s', 't')`,
  );
  return new Map(rows.map(({ oid, name }) => [oid, name]));
}
