/** The locks of every statement about an index are the ones that the preview tells. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { renderIndexStep } from "../../../postgres/index/render";
import type { IndexDeclaration, IndexStepKind } from "../../../topology/index/model";
import { drop } from "../../../topology/index/plan";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { expectPredictedLocks } from "../postgres/predicted-locks";
import { createTree, declaration, planned } from "./support";

/** Sent by themselves; what these lock while they wait was measured apart, and is not held in any transaction. */
const CONCURRENT: IndexStepKind[] = ["dropInvalid", "rebuild"];

describeOnEachPostgres("locks of index statements", (server) => {
  let database: TestDatabase;
  let client: Client;
  const seen = new Set<IndexStepKind>();

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
  });
  after(() => database.drop());
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

  it("every kind of step was compared", () => {
    const kinds: Record<IndexStepKind, true> = {
      dropInvalid: true,
      create: true,
      build: true,
      adopt: true,
      rebuild: true,
      rename: true,
      swap: true,
      drop: true,
    };
    assert.deepEqual([...seen, ...CONCURRENT].sort(), Object.keys(kinds).sort());
  });
});
