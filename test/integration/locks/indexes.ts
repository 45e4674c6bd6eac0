/** The locks of every statement about an index are the ones that the preview tells. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { renderIndexStep } from "../../../postgres/index/render";
import type { IndexDeclaration, IndexStepKind } from "../../../topology/index/model";
import { drop } from "../../../topology/index/plan";
import type { TestDatabase, TestServer } from "../../support/postgres";
import { createTree, declaration, planned } from "../index/support";
import { openForSuite } from "../postgres/opened";
import { expectPredictedLocks, expectPredictedWaits } from "../postgres/predicted-locks";

export function comparesIndexes(server: () => TestServer): void {
  let database: TestDatabase;
  let client: Client;
  const seen = new Set<IndexStepKind>();

  openForSuite(server, (opened) => {
    ({ database, client } = opened);
  });
  beforeEach(() => createTree(client, 30));

  /** Carries a plan out statement by statement, each compared with what it says. */
  async function compare(declared: IndexDeclaration, recorded?: number): Promise<void> {
    const { steps } = await planned(database.connection, declared, recorded);
    assert.notEqual(steps.length, 0);
    for (const step of steps) {
      seen.add(step.kind);
      const statements = renderIndexStep(step, declared);
      for (const { sql } of statements.filter(({ transactional }) => !transactional)) await client.query(sql);
      await expectPredictedLocks(
        database,
        statements.filter(({ transactional }) => transactional),
      );
    }
    await client.query("RESET search_path");
    assert.deepEqual((await planned(database.connection, declared, recorded)).steps, []);
  }

  async function oid(name: string): Promise<number> {
    return (await client.query<{ oid: number }>("SELECT $1::regclass::oid AS oid", [name])).rows[0]!.oid;
  }

  it("building, adopting, replacing, renaming, dropping", async () => {
    await client.query("CREATE INDEX equal ON s.p1 (a)");
    await compare(declaration());
    const changed = declaration({ columns: [{ expression: "a + 1" }], where: "a > 0" });
    await compare(changed);
    const known = await oid("s.p_a_idx");
    await compare({ ...changed, name: "renamed" }, known);
    const { found } = await planned(database.connection, { ...changed, name: "renamed" });
    const { rows } = await client.query(
      "SELECT oid, 's' AS schema, relname AS name, 'p' AS relkind FROM pg_class WHERE relnamespace = 's'::regnamespace AND relkind IN ('r', 'p') ORDER BY relname",
    );
    const step = drop({ relations: rows }, found!, "");
    seen.add(step.kind);
    await expectPredictedLocks(database, renderIndexStep(step, changed));
  });

  for (const constraint of ["primary key", "unique"] as const) {
    it(`of a ${constraint}`, async () => {
      const columns = [{ column: "id" }, { column: "kind" }];
      await client.query("CREATE UNIQUE INDEX equal ON s.p1 (id, kind)");
      await compare(declaration({ name: "p_key", unique: true, columns, constraint }));
    });
  }

  it("to another tablespace, an adopted part and one without storage too", async () => {
    await client.query("SET allow_in_place_tablespaces = on");
    await client.query("CREATE TABLESPACE index_place LOCATION ''");
    try {
      await client.query("CREATE INDEX equal ON s.p1 (a)");
      await client.query("CREATE INDEX p_a_idx ON ONLY s.p (a)");
      await compare(declaration({ tablespace: "index_place" }));
      const { rows } = await client.query("SELECT DISTINCT tablespace FROM pg_indexes WHERE schemaname = 's'");
      assert.deepEqual(rows, [{ tablespace: "index_place" }]);
    } finally {
      await client.query("DROP SCHEMA s CASCADE");
      await client.query("DROP TABLESPACE index_place");
    }
  });

  it("concurrently: who is waited for", async () => {
    await createTree(client);
    const part = { name: "p1", kind: "build" };
    const found = (await planned(database.connection, declaration())).steps.find(
      ({ kind, table }) => kind === part.kind && table.name === part.name,
    );
    assert.ok(found);
    const reset = async () => {
      await createTree(client);
      await client.query("CREATE INDEX p1_a_idx ON s.p1 (a)");
    };
    const oid = 0;
    const again = { ...found, index: { schema: "s", name: "p1_a_idx", oid } };
    for (const kind of ["build", "rebuild", "move", "dropInvalid"] as const) {
      seen.add(kind);
      const place = kind === "move" ? { tablespace: "pg_default" } : {};
      const statement = renderIndexStep({ ...again, kind }, declaration(place)).find(({ locks }) => locks.length > 0);
      assert.ok(statement);
      const prepare = kind === "build" ? () => createTree(client) : reset;
      await prepare();
      await expectPredictedWaits(database, statement, prepare);
    }
  });

  it("every kind of step was compared", () => {
    const kinds: Record<IndexStepKind, true> = {
      dropInvalid: true,
      create: true,
      build: true,
      adopt: true,
      rebuild: true,
      move: true,
      place: true,
      rename: true,
      swap: true,
      drop: true,
    };
    assert.deepEqual([...seen].sort(), Object.keys(kinds).sort());
  });
}
