/** An index on a partitioned table is built, completed, adopted, repaired, renamed, replaced and dropped. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { IndexDeclaration } from "../../../topology/index/model";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { openForSuite } from "../postgres/opened";
import { build, createTree, declaration, indexesOf, planned } from "./support";

const WHOLE = [
  "p: p_a_idx",
  "p1: p1_a_idx -> p_a_idx",
  "p2: p2_a_idx -> p_a_idx",
  "p3: p3_a_idx -> p_a_idx",
  "p3_d: p3_d_a_idx -> p3_a_idx",
  "p3_x: p3_x_a_idx -> p3_a_idx",
];

describeOnEachPostgres("index on a partitioned table", (server, major) => {
  let database: TestDatabase;
  let client: Client;

  openForSuite(server, (opened) => {
    ({ database, client } = opened);
  });
  beforeEach(() => createTree(client));

  async function converged(declared: IndexDeclaration, recorded?: number): Promise<void> {
    const second = await planned(database.connection, declared, recorded);
    assert.deepEqual([second.steps, second.findings], [[], []]);
  }

  async function built(declared: IndexDeclaration, recorded?: number) {
    const report = await build(database.connection, declared, { recorded });
    assert.deepEqual([report.failed, report.findings], [[], []]);
    assert.equal(report.index?.valid, true);
    await converged(declared, recorded);
    return report;
  }

  async function oid(name: string): Promise<number> {
    const { rows } = await client.query<{ oid: number }>("SELECT $1::regclass::oid AS oid", [name]);
    return rows[0]!.oid;
  }

  it("is built on every level, and is valid in the end", async () => {
    await built(declaration());
    assert.deepEqual(await indexesOf(client), WHOLE);
  });

  it("sends what the preview showed", async () => {
    const { sql } = await planned(database.connection, declaration({ where: "a > 5" }));
    await database.logStatements();
    await built(declaration({ where: "a > 5" }));
    const sent = (await database.statements()).filter((text) =>
      /^(CREATE (UNIQUE )?INDEX|ALTER|SET search_path TO "|SET LOCAL search_path TO ")/.test(text),
    );
    assert.deepEqual(sent.filter((text) => !text.includes("pgpartition scratch")).slice(1, sql.length + 1), sql);
  });

  const forms: Record<string, Partial<IndexDeclaration>> = {
    expression: { columns: [{ expression: "lower(b)" }, { column: "a" }] },
    partial: { where: "a IS NOT NULL AND b <> ''" },
    include: { include: ["b", "c"] },
    "operator class": { columns: [{ column: "b", opclass: "text_pattern_ops" }] },
    collation: { columns: [{ column: "b", collation: "C" }] },
    order: { columns: [{ column: "a", order: "desc", nulls: "last" }, { column: "id" }] },
    method: { method: "hash" },
    brin: { method: "brin", storage: { pages_per_range: 16, autosummarize: true } },
    "storage parameters": { storage: { fillfactor: 70, deduplicate_items: false } },
    unique: { unique: true, columns: [{ column: "id" }, { column: "kind" }, { column: "a" }] },
  };
  for (const [form, over] of Object.entries(forms)) {
    it(`of the form: ${form}`, async () => {
      await built(declaration(over));
      const { rows } = await client.query("SELECT count(*)::int AS n FROM pg_indexes WHERE schemaname = 's'");
      assert.equal(rows[0]?.n, 6);
    });
  }

  it("in a tablespace", async () => {
    await client.query("SET allow_in_place_tablespaces = on");
    await client.query("CREATE TABLESPACE index_place LOCATION ''");
    try {
      await built(declaration({ tablespace: "index_place" }));
      const places = async () =>
        (
          await client.query<{ place: string }>(
            "SELECT DISTINCT coalesce(tablespace, 'default') AS place FROM pg_indexes WHERE schemaname = 's'",
          )
        ).rows.map(({ place }) => place);
      assert.deepEqual(await places(), ["index_place"]);
      const before = await indexesOf(client);
      const moved = await built(declaration({ tablespace: "pg_default" }));
      assert.deepEqual(await places(), ["default"]);
      assert.deepEqual(moved.done.slice(0, 2), ["place:p_a_idx", "move:p1_a_idx"]);
      assert.ok(!moved.done.some((step) => /^(create|build|swap)/.test(step)), moved.done.join());
      assert.deepEqual(await indexesOf(client), before);
    } finally {
      await client.query("DROP SCHEMA s CASCADE");
      await client.query("DROP TABLESPACE index_place");
    }
  });

  if (major >= 15)
    it("NULLS NOT DISTINCT from PostgreSQL 15 on", async () => {
      const columns = [{ column: "id" }, { column: "kind" }, { column: "a" }];
      await built(declaration({ unique: true, nullsNotDistinct: true, columns }));
    });

  it("adopts equal indexes of partitions whatever their names, and leaves others alone", async () => {
    await client.query(`CREATE INDEX mine ON s.p1 (a); CREATE INDEX other_order ON s.p2 (a DESC);
      CREATE INDEX sub ON s.p3 (a); CREATE INDEX partial ON s.p1 (a) WHERE a > 1`);
    await built(declaration());
    assert.deepEqual(await indexesOf(client), [
      "p: p_a_idx",
      "p1: mine -> p_a_idx",
      "p1: partial",
      "p2: other_order",
      "p2: p2_a_idx -> p_a_idx",
      "p3: sub -> p_a_idx",
      "p3_d: p3_d_a_idx -> sub",
      "p3_x: p3_x_a_idx -> sub",
    ]);
  });

  it("adopts an index that PostgreSQL built in one go", async () => {
    await client.query("CREATE INDEX p_a_idx ON s.p (a)");
    await converged(declaration());
  });

  it("completes what an interrupted run has left, and removes what is invalid", async () => {
    await client.query("CREATE INDEX p_a_idx ON ONLY s.p (a); CREATE INDEX p1_a_idx ON s.p1 (a)");
    await client.query("CREATE INDEX p2_a_idx ON s.p2 (a); ALTER INDEX s.p_a_idx ATTACH PARTITION s.p2_a_idx");
    await client.query("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 's.p1_a_idx'::regclass");
    const broken = await oid("s.p1_a_idx");
    await built(declaration());
    assert.notEqual(await oid("s.p1_a_idx"), broken);
    assert.deepEqual(await indexesOf(client), WHOLE);
  });

  it("builds a part again that is attached and not valid", async () => {
    await built(declaration());
    await client.query(
      "UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('s.p1_a_idx'::regclass, 's.p_a_idx'::regclass)",
    );
    const { done } = await built(declaration());
    assert.ok(done.includes("rebuild:p1_a_idx") && done.includes("swap:p_a_idx"), done.join());
    const lines = await indexesOf(client);
    assert.deepEqual(
      lines.filter((line) => line.includes("INVALID")),
      [],
    );
    assert.equal(lines.length, 6);
  });

  it("replaces an index of another definition under the same name, and keeps its comment", async () => {
    await built(declaration());
    await client.query("COMMENT ON INDEX s.p_a_idx IS 'why'");
    const changed = declaration({ columns: [{ column: "a" }, { column: "b" }] });
    const plan = await planned(database.connection, changed);
    assert.equal(plan.steps.at(-1)?.kind, "swap");
    await built(changed);
    const { rows } = await client.query(
      "SELECT pg_get_indexdef('s.p_a_idx'::regclass) AS def, obj_description('s.p_a_idx'::regclass) AS comment",
    );
    assert.deepEqual(rows, [{ def: "CREATE INDEX p_a_idx ON ONLY s.p USING btree (a, b)", comment: "why" }]);
    assert.equal((await indexesOf(client)).length, 6);
    await built(declaration());
    assert.equal((await indexesOf(client)).length, 6);
  });

  it("takes away a replacement when the declaration goes back to what is there", async () => {
    await built(declaration());
    const changed = declaration({ columns: [{ column: "a" }, { column: "b" }] });
    const { steps, sql } = await planned(database.connection, changed);
    assert.equal(steps[0]?.kind, "create");
    await client.query(`BEGIN; ${sql.slice(0, 2).join("; ")}; COMMIT`);
    await built(declaration());
    assert.deepEqual(await indexesOf(client), WHOLE);
  });

  it("renames without building", async () => {
    await built(declaration());
    const known = await oid("s.p_a_idx");
    const report = await built(declaration({ name: "better" }), known);
    assert.deepEqual(report.done, ["rename:p_a_idx"]);
    assert.equal(await oid("s.better"), known);
  });

  it("gives a part another name when its own is taken", async () => {
    await client.query("CREATE TABLE s.p1_a_idx (); CREATE SEQUENCE s.p2_a_idx");
    await built(declaration());
    const lines = await indexesOf(client);
    assert.match(lines[1]!, /^p1: p1_a_idx_[0-9a-f]{8} -> p_a_idx$/);
  });

  it("does not touch a relation that has the index's name", async () => {
    await client.query("CREATE TABLE s.p_a_idx (x int)");
    const report = await build(database.connection, declaration());
    assert.deepEqual(report.done, []);
    assert.match(report.findings[0]!.reason, /^s\.p_a_idx is the name of another relation/);
  });

  it("is valid at once on a table without partitions, and new partitions have it", async () => {
    await client.query("CREATE TABLE s.e (id int, a int) PARTITION BY RANGE (id)");
    await built(declaration({ table: "e", name: "e_a_idx" }));
    await client.query("CREATE TABLE s.e1 PARTITION OF s.e DEFAULT");
    await converged(declaration({ table: "e", name: "e_a_idx" }));
  });

  it("reports rows that are not unique, by partition, and leaves nothing invalid there", async () => {
    await client.query("INSERT INTO s.p SELECT * FROM s.p WHERE id IN (5, 150)");
    const unique = declaration({ unique: true, columns: [{ column: "id" }, { column: "kind" }] });
    const report = await build(database.connection, unique);
    assert.deepEqual(
      report.failed.map(({ step }) => step),
      ["build:p1", "build:p2"],
    );
    assert.match(report.failed[0]!.reason, /SQLSTATE 23505.*GROUP BY 1, 2 HAVING count\(\*\) > 1/);
    const lines = await indexesOf(client);
    assert.deepEqual(
      lines.filter((line) => line.startsWith("p1") || line.startsWith("p2")),
      [],
    );
    await client.query("DELETE FROM s.p WHERE id IN (5, 150)");
    await built(unique);
  });

  it("refuses a unique index without a key column of some level", async () => {
    const report = await build(database.connection, declaration({ unique: true, columns: [{ column: "id" }] }));
    assert.deepEqual([report.done, report.findings.map(({ path }) => path)], [[], ["columns"]]);
    assert.match(report.findings[0]!.reason, /^s\.p3 is partitioned by "kind"/);
  });

  it("covers a primary key and a unique constraint of the table", async () => {
    for (const constraint of ["primary key", "unique"] as const) {
      await createTree(client);
      await client.query("CREATE UNIQUE INDEX fits ON s.p2 (id, kind)");
      const key = declaration({
        name: "p_key",
        unique: true,
        columns: [{ column: "id" }, { column: "kind" }],
        constraint,
      });
      await built(key);
      const { rows } = await client.query<{ line: string }>(
        `SELECT conrelid::regclass::text || ' ' || contype::text || ' ' || (conparentid <> 0) AS line FROM pg_constraint
         WHERE connamespace = 's'::regnamespace AND contype IN ('p', 'u') ORDER BY 1`,
      );
      const type = constraint === "unique" ? "u" : "p";
      assert.deepEqual(
        rows.map(({ line }) => line),
        [
          `s.p ${type} false`,
          `s.p1 ${type} true`,
          `s.p2 ${type} true`,
          `s.p3 ${type} true`,
          `s.p3_d ${type} true`,
          `s.p3_x ${type} true`,
        ],
      );
    }
  });
});
