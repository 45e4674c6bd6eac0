/** A large partition that gets another bound is looked through before it leaves, not while its table is locked. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import { renderStep } from "../../../postgres/statements";
import type { PartitionBound } from "../../../topology/model";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { startTraffic } from "../../support/traffic";
import { carryOut, range, readParentOf, sessionsOn, step } from "../postgres/support";
import { SetUnderTest } from "./support";

interface Case {
  type?: string;
  by?: string;
  /** The bound that the partition has, and the declared one. */
  old: string;
  bound: PartitionBound;
  /** Keys of its rows. */
  rows: string;
  /** How the partition is divided, and its own partitions. */
  below?: [divided: string, ...partitions: string[]];
  /** What the table is a partition of: its key and its place there. */
  above?: [key: string, place: string];
}

const RANGE = { type: "int", by: "RANGE (k)", old: "FROM (0) TO (10)", rows: "0, 9" };
const LIST = { type: "text", by: "LIST (k)", old: "IN ('a')", rows: "'a'" };

const CASES: Record<string, Case> = {
  "wider, numbers": { ...RANGE, bound: range("0", "20") },
  "wider, open ends": { ...RANGE, bound: range("MINVALUE", "20") },
  "wider, instants": {
    ...RANGE,
    type: "timestamptz",
    old: "FROM ('2026-01-01Z') TO ('2026-02-01Z')",
    rows: "timestamptz '2026-01-05Z'",
    bound: range("2026-01-01 00:00:00+00", "2026-03-01 00:00:00+00"),
  },
  "wider, texts": { ...LIST, bound: { values: ["a", "b"] } },
  "wider, texts and NULL": { ...LIST, bound: { values: ["a", null] } },
  "narrower, numbers": { ...RANGE, rows: "2, 4", bound: range("1", "5") },
  "narrower, texts": { ...LIST, old: "IN ('a', 'b', NULL)", bound: { values: ["a"] } },
  "moved, numbers": { ...RANGE, rows: "7, 9", bound: range("5", "30") },
  "narrower, with partitions": {
    ...RANGE,
    rows: "2, 4",
    bound: range("1", "5"),
    below: ["RANGE (k)", "FROM (0) TO (3)", "FROM (3) TO (10)"],
  },
  "wider, with partitions by another column": {
    ...RANGE,
    bound: range("0", "20"),
    below: ["LIST (note)", "IN (NULL)", "IN ('n')"],
  },
  "narrower, below a RANGE": {
    ...RANGE,
    rows: "2, 4",
    bound: range("1", "5"),
    above: ["RANGE (o)", "FROM (0) TO (9)"],
  },
  "narrower, below a LIST, with partitions": {
    ...RANGE,
    rows: "2, 4",
    bound: range("1", "5"),
    above: ["LIST (o)", "IN (1, 2)"],
    below: ["HASH (k)", "WITH (MODULUS 2, REMAINDER 0)", "WITH (MODULUS 2, REMAINDER 1)"],
  },
  "wider, below a HASH": { ...RANGE, bound: range("0", "20"), above: ["HASH (o)", "WITH (MODULUS 1, REMAINDER 0)"] },
};

describeOnEachPostgres("another bound for a large partition", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    sessions = sessionsOn(database.connection);
  });
  after(async () => {
    await sessions.close();
    await database.drop();
  });
  beforeEach(() => client.query("DROP SCHEMA IF EXISTS s CASCADE; CREATE SCHEMA s"));

  const checks = async (): Promise<string[]> =>
    (await client.query<{ name: string }>("SELECT conname::text AS name FROM pg_constraint WHERE contype = 'c'")).rows
      .map(({ name }) => name)
      .filter((name) => name.startsWith("pgpartition"));

  async function create({ type, by, old, rows, below, above }: Case): Promise<string[]> {
    const columns = `k ${type}, o int DEFAULT 1, note text`;
    await client.query(`CREATE TABLE s.p (${columns}) PARTITION BY ${by}`);
    await client.query(
      `CREATE TABLE s.c PARTITION OF s.p FOR VALUES ${old}${below ? ` PARTITION BY ${below[0]}` : ""}`,
    );
    for (const [at, bound] of (below ?? []).slice(1).entries())
      await client.query(`CREATE TABLE s.c${at} PARTITION OF s.c FOR VALUES ${bound}`);
    const values = rows.split(", ").map((one) => `(${one})`);
    await client.query(`INSERT INTO s.p (k) VALUES ${values.join(", ")}`);
    if (above === undefined) return values;
    await client.query(`CREATE TABLE s.g (${columns}) PARTITION BY ${above[0]}`);
    await client.query(`ALTER TABLE s.g ATTACH PARTITION s.p FOR VALUES ${above[1]}`);
    return values;
  }

  for (const [what, one] of Object.entries(CASES))
    it(`${what}: the CHECK is what PostgreSQL takes for a proof`, async () => {
      const values = await create(one);
      const { rows: found } = await client.query<{ oid: number }>("SELECT 's.c'::regclass::oid AS oid");
      const about = { bound: one.bound, oid: Number(found[0]?.oid) };
      const parent = await readParentOf(sessions);
      const proof = renderStep(step("prove", "c", about), parent);
      for (const { sql } of proof) await client.query(sql);
      const scans = proof.flatMap(({ locks }) => locks.filter(({ hold }) => hold === "scan"));
      assert.ok(scans.length > 0 && scans.every(({ mode }) => mode === "SHARE UPDATE EXCLUSIVE"));
      const notices: string[] = [];
      client.on("notice", ({ message = "" }) => notices.push(message));
      const change = renderStep(step("detachAttach", "c", { ...about, proven: true }), parent);
      assert.ok(change.every(({ locks }) => locks.every(({ hold }) => hold === "instant")));
      await client.query("SET client_min_messages = debug1; BEGIN");
      for (const { sql } of change) await client.query(sql);
      await client.query("COMMIT; RESET client_min_messages");
      client.removeAllListeners("notice");
      assert.match(notices.join("\n"), /partition constraint for table "c" is implied by existing constraints/);
      assert.doesNotMatch(notices.join("\n"), /verifying table/);
      for (const { sql } of renderStep(step("unprove", "c", about), parent)) await client.query(sql);
      assert.deepEqual(await checks(), []);
      const { rows: counted } = await client.query("SELECT count(*)::int AS n FROM s.p");
      assert.deepEqual(counted, [{ n: values.length }]);
    });

  it("is not proven where PostgreSQL believes no CHECK, and the preview says that it scans", async () => {
    await create({ ...RANGE, bound: range("0", "20"), above: ["HASH (note)", "WITH (MODULUS 1, REMAINDER 0)"] });
    const parent = await readParentOf(sessions);
    const about = { bound: range("0", "20") };
    assert.deepEqual(renderStep(step("prove", "c", about), parent), []);
    const [attach] = renderStep(step("detachAttach", "c", { ...about, proven: true }), parent).slice(-1);
    assert.equal(attach?.locks.find(({ relation }) => relation === '"s"."c"')?.hold, "scan");
  });

  const declared = (from: number, to: number, more: object = {}) => ({
    schema: "s",
    table: "p",
    partitionBy: { range: { column: "k", type: "integer" } },
    partitions: { c: { from, to, ...more } },
  });
  const PROVEN = ["proveBound:c", "rebound:c", "unproveBound:c"];

  async function createLarge(set: SetUnderTest, more?: object): Promise<void> {
    await client.query("CREATE TABLE s.p (k int PRIMARY KEY, pad text) PARTITION BY RANGE (k)");
    await set.settle(declared(0, 20_000, more));
    await client.query("INSERT INTO s.p SELECT n, repeat('x', 1000) FROM generate_series(100, 12100) n; ANALYZE s.p");
  }

  it("is proven first, whatever an interrupted run has left; a smaller one is only attached", async () => {
    const set = new SetUnderTest(sessions);
    await createLarge(set);
    await client.query("ALTER TABLE s.c ADD CONSTRAINT pgpartition_bound CHECK (k IS NOT NULL AND k < 30000)");
    assert.deepEqual(await set.settle(declared(0, 40_000)), PROVEN);
    assert.deepEqual(await checks(), []);
    await client.query("DELETE FROM s.p WHERE k > 110");
    await client.query("VACUUM FULL s.c");
    assert.deepEqual(await set.settle(declared(0, 60_000)), ["rebound:c"]);
  });

  it("beside readers and writers: a narrower one of a partition that is divided, and who takes over the rest", async () => {
    const set = new SetUnderTest(sessions);
    const inside = { partitionBy: { hash: { columns: ["k"] } } };
    const buckets = { c0: { modulus: 2, remainder: 0 }, c1: { modulus: 2, remainder: 1 } };
    await createLarge(set, { ...inside, partitions: buckets });
    const jobs = [
      ["SELECT count(*) FROM s.p"],
      ["UPDATE s.p SET pad = pad || 'y' WHERE k = 500", "INSERT INTO s.p VALUES (50) ON CONFLICT DO NOTHING"],
    ];
    const narrow = declared(10, 15_000, { ...inside, partitions: buckets });
    const wanted = { ...narrow, partitions: { ...narrow.partitions, d: { from: 15_000, to: 20_000 } } };
    const { steps } = await set.preview(wanted);
    assert.match(steps[0]?.reason ?? "", /rows of 0 … 10, 15000 … 20000 are refused \(23514\)/);
    const traffic = await startTraffic(database, jobs, 10_000);
    assert.deepEqual(await set.settle(wanted), ["proveBound:c", "rebound:c", "create:d", "unproveBound:c"]);
    assert.deepEqual((await traffic.stop()).failures, []);
    assert.deepEqual(await checks(), []);
  });

  it("a row that comes meanwhile stops it, and no CHECK stays", async () => {
    const set = new SetUnderTest(sessions);
    await createLarge(set);
    const { steps } = await set.preview(declared(0, 15_000));
    assert.deepEqual(
      steps.map(({ id }) => id),
      PROVEN,
    );
    await client.query("INSERT INTO s.p VALUES (16000)");
    const report = await carryOut(sessions, steps);
    assert.deepEqual(
      report.failed.map((failure) => [failure.step, failure.error.sqlstate]),
      [["proveBound:c", "23514"]],
    );
    assert.deepEqual([report.done, await checks()], [["unproveBound:c"], []]);
  });

  it("that is not declared any more: a refresh shows what a killed run has left, and the next update takes it away", async () => {
    const set = new SetUnderTest(sessions);
    await createLarge(set);
    await client.query("ALTER TABLE s.c ADD CONSTRAINT pgpartition_bound CHECK (k < 15000) NOT VALID");
    await set.refresh(declared(0, 20_000));
    assert.deepEqual(set.diff(declared(0, 20_000)), ["delete partitions.c.differs.boundCheck"]);
    assert.deepEqual(await set.settle(declared(0, 20_000)), ["unproveBound:c"]);
    assert.deepEqual(await checks(), []);
  });
});
