/** Indexes of the parent that partitions have not, or not valid: the set's plan finds them, and they are completed. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { readSet } from "../../../postgres/catalog";
import type { Sessions } from "../../../postgres/connection";
import { readTopmostDefinitions } from "../../../postgres/index/definition";
import { DEFAULT_CHILDREN } from "../../../topology/attributes";
import type { IndexDeclaration } from "../../../topology/index/model";
import { placesOf } from "../../../topology/level";
import type { DesiredSet } from "../../../topology/model";
import { plan } from "../../../topology/plan";
import type { Plan } from "../../../topology/steps";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { openForSuite } from "../postgres/opened";
import { build, createTree, declaration, indexesOf } from "./support";

const DESIRED: DesiredSet = {
  schema: "s",
  table: "p",
  strategy: "range",
  keyColumns: ["id"],
  keyTypes: ["integer"],
  partitions: {
    p1: { from: "0", to: "100", tier: "live" },
    p2: { from: "100", to: "200", tier: "live" },
    p3: {
      from: "200",
      to: "MAXVALUE",
      tier: "live",
      partitionBy: { list: { column: "kind" } },
      partitions: { p3_x: { values: ["x"], tier: "live" }, p3_d: { default: true, tier: "live" } },
    },
  },
  unmanaged: "report",
  adopt: [],
};

describeOnEachPostgres("indexes that partitions lack", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;

  openForSuite(server, (opened) => {
    ({ database, client, sessions } = opened);
  });
  beforeEach(() => createTree(client));

  /** The set's plan, and what is to be completed for it. */
  async function planned(desired = DESIRED): Promise<{ made: Plan; indexes: IndexDeclaration[] }> {
    return sessions.withSession(async (session) => {
      const names = [...placesOf(desired.partitions, "s")];
      const set = await readSet(session, { schema: "s", table: "p", names, known: {} });
      assert.ok(set.parent);
      const made = plan(desired, set, {});
      const found = await readTopmostDefinitions(session, set.parent.oid, made.indexes ?? []);
      return { made, indexes: found.map(({ oid: _, tableOid: __, ...declared }) => declared) };
    });
  }

  async function completed(): Promise<void> {
    const { made, indexes } = await planned();
    assert.deepEqual([made.steps, made.findings], [[], []]);
    for (const declared of indexes) {
      const report = await build(database.connection, declared);
      assert.deepEqual([report.failed, report.findings, report.left], [[], [], []]);
    }
    const { made: second } = await planned();
    assert.deepEqual([second.steps, second.findings, second.indexes], [[], [], undefined]);
  }

  it("are built where they are missing, and adopted where an equal one is there", async () => {
    await client.query("CREATE INDEX p_a ON ONLY s.p (a DESC) WHERE a > 3");
    await client.query("CREATE INDEX mine ON s.p1 (a DESC) WHERE a > 3");
    const { made } = await planned();
    assert.deepEqual(
      made.indexes?.map(({ table, index, partitions }) => [table.name, index, partitions]),
      [["p", "p_a", ["p1", "p2", "p3"]]],
    );
    await completed();
    assert.deepEqual(await indexesOf(client), [
      "p: p_a",
      "p1: mine -> p_a",
      "p2: p2_a -> p_a",
      "p3: p3_a -> p_a",
      "p3_d: p3_d_a -> p3_a",
      "p3_x: p3_x_a -> p3_a",
    ]);
  });

  it("are completed from the topmost index on, when only partitions of a partition lack it", async () => {
    await client.query(
      "CREATE INDEX p_a ON ONLY s.p (a); CREATE INDEX p1_a ON s.p1 (a); CREATE INDEX p2_a ON s.p2 (a)",
    );
    await client.query("CREATE INDEX p3_a ON ONLY s.p3 (a)");
    for (const part of ["p1_a", "p2_a", "p3_a"]) await client.query(`ALTER INDEX s.p_a ATTACH PARTITION s.${part}`);
    const { made, indexes } = await planned();
    assert.deepEqual(made.indexes?.map(({ table }) => table.name).sort(), ["p", "p3"]);
    assert.deepEqual(
      indexes.map(({ table, name }) => [table, name]),
      [["p", "p_a"]],
    );
    await completed();
  });

  it("are completed on a partition alone, when its parent has none", async () => {
    await client.query("CREATE INDEX p3_a ON ONLY s.p3 (a)");
    await completed();
    assert.deepEqual(await indexesOf(client), ["p3: p3_a", "p3_d: p3_d_a -> p3_a", "p3_x: p3_x_a -> p3_a"]);
  });

  it("are the primary key and unique constraints, too", async () => {
    await client.query("ALTER TABLE ONLY s.p ADD CONSTRAINT p_key PRIMARY KEY (id, kind)");
    await client.query("ALTER TABLE ONLY s.p ADD CONSTRAINT p_once UNIQUE (kind, id)");
    await completed();
    const { rows } = await client.query(
      "SELECT count(*)::int AS count FROM pg_constraint WHERE contype IN ('p', 'u') AND connamespace = 's'::regnamespace",
    );
    assert.deepEqual(rows, [{ count: 12 }]);
  });

  it("are built again where they are not valid", async () => {
    await client.query("CREATE INDEX p_a ON s.p (a)");
    await client.query(
      "UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('s.p_a'::regclass, 's.p1_a_idx'::regclass)",
    );
    const { made } = await planned();
    assert.deepEqual(
      made.indexes?.map(({ partitions }) => partitions),
      [["p1"]],
    );
    await completed();
    assert.ok((await indexesOf(client)).every((line) => !line.includes("INVALID")));
  });

  it("are reported where PostgreSQL cannot build them beside writers, and where the policy says so", async () => {
    await client.query("ALTER TABLE ONLY s.p ADD CONSTRAINT later UNIQUE (id, kind) DEFERRABLE");
    const { made } = await planned();
    assert.deepEqual([made.indexes, made.findings.length], [undefined, 1]);
    assert.match(made.findings[0]!.reason, /^p1, p2, p3: indexes later: none instead of valid\. PostgreSQL builds/);
    await client.query("ALTER TABLE s.p DROP CONSTRAINT later; CREATE INDEX p_a ON ONLY s.p (a)");
    const { made: reported } = await planned({ ...DESIRED, children: { ...DEFAULT_CHILDREN, indexes: "report" } });
    assert.deepEqual([reported.indexes, reported.findings.length], [undefined, 1]);
  });

  it("are reported below a foreign table, which has none", async () => {
    await client.query("CREATE EXTENSION IF NOT EXISTS file_fdw; DROP SERVER IF EXISTS files CASCADE");
    await client.query("CREATE SERVER files FOREIGN DATA WRAPPER file_fdw");
    await client.query(
      "CREATE FOREIGN TABLE s.p3_f PARTITION OF s.p3 FOR VALUES IN ('f') SERVER files OPTIONS (filename '/dev/null')",
    );
    await client.query("CREATE INDEX p_a ON ONLY s.p (a)");
    const declared = declaration({ name: "p_a" });
    assert.deepEqual((await build(database.connection, declared)).failed, []);
    const { made: above } = await planned({ ...DESIRED, unmanaged: "ignore" });
    assert.equal(above.indexes, undefined);
    assert.match(above.findings[0]!.reason, /^p3: indexes p_a: invalid instead of valid\. A foreign table below it/);
  });
});
