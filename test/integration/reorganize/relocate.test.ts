/** Large partitions get another tablespace beside the working application; what a move makes is made as declared. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import { execute } from "../../../postgres/executor";
import { DEFAULT_LADDER } from "../../../postgres/ladder";
import { decide } from "../../../provider/partitionSet/decide";
import { observe } from "../../../provider/partitionSet/observe";
import { DEFAULT_CHILDREN } from "../../../topology/attributes";
import type { DesiredPartition, DesiredSet } from "../../../topology/model";
import type { Plan } from "../../../topology/steps";
import { REWRITE_LIMIT_BYTES } from "../../../topology/storage";
import type { TierStorage } from "../../../topology/tierStorage";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { startTraffic } from "../../support/traffic";
import { range, sessionsOn } from "../postgres/support";
import { contentOf, leftovers } from "./support";

/** Rows of 1 kB, so that a partition is larger than what is rewritten in place. */
const ROWS = Math.ceil((REWRITE_LIMIT_BYTES * 1.05) / 1024);

const live = (partitions: Record<string, object>): Record<string, DesiredPartition> =>
  Object.fromEntries(Object.entries(partitions).map(([name, bound]) => [name, { ...bound, tier: "live" }])) as Record<
    string,
    DesiredPartition
  >;

const WHOLE = live({ a: range("0", "1000000"), b: range("1000000", "2000000"), d: { default: true } });

const desired = (storage: TierStorage, partitions = WHOLE): DesiredSet => ({
  schema: "s",
  table: "p",
  strategy: "range",
  keyColumns: ["k"],
  keyTypes: ["integer"],
  partitions,
  unmanaged: "report",
  adopt: [],
  children: DEFAULT_CHILDREN,
  storage: { live: storage },
  comment: "{partition}: {bound}",
});

describeOnEachPostgres("large partitions in another tablespace", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    sessions = sessionsOn(database.connection);
    await client.query("SET allow_in_place_tablespaces = on").catch(() => undefined);
    await client.query("CREATE TABLESPACE roomy LOCATION ''");
  });
  after(async () => {
    await sessions.close();
    await client.query("DROP SCHEMA s CASCADE");
    await client.query("DROP TABLESPACE roomy");
    await database.drop();
  });
  beforeEach(async () => {
    await client.query("DROP SCHEMA IF EXISTS s CASCADE; CREATE SCHEMA s");
    await client.query("CREATE TABLE s.p (k int PRIMARY KEY, note text, pad text) PARTITION BY RANGE (k)");
    await client.query("CREATE TABLE s.a PARTITION OF s.p FOR VALUES FROM (0) TO (1000000)");
    await client.query("CREATE TABLE s.b PARTITION OF s.p FOR VALUES FROM (1000000) TO (2000000)");
    await client.query("CREATE TABLE s.d PARTITION OF s.p DEFAULT");
    await client.query("INSERT INTO s.p VALUES (1000001, 'small', ''), (-5, 'far', '')");
  });

  const fill = async (from: number): Promise<void> => {
    await client.query(`INSERT INTO s.p SELECT ${from} + i, 'n', repeat('x', 1000) FROM generate_series(1, ${ROWS}) i`);
    await client.query("ANALYZE s.p");
  };

  const planned = (wanted: DesiredSet): Promise<Plan> =>
    sessions.withSession(async (session) => decide(session, await observe(session, wanted, {})));

  async function up(wanted: DesiredSet): Promise<Plan> {
    const made = await planned(wanted);
    const errors = made.findings.filter(({ severity }) => severity === "error");
    assert.deepEqual(errors, []);
    const { catalog } = await sessions.withSession((session) => observe(session, wanted, {}));
    assert.ok(catalog?.parent);
    const report = await execute(made, { sessions, parent: catalog.parent, ladder: DEFAULT_LADDER });
    assert.deepEqual([report.failed, report.skipped], [[], []]);
    const second = await planned(wanted);
    assert.deepEqual([second.steps, second.findings], [[], []]);
    assert.deepEqual(await leftovers(client), []);
    return made;
  }

  /** Name, tablespace, parameters and comment of each leaf. */
  async function stored(): Promise<unknown[]> {
    const { rows } = await client.query(
      `SELECT c.relname AS name, t.spcname AS place, c.reloptions AS parameters, obj_description(c.oid, 'pg_class') AS said
       FROM pg_class c LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace
       WHERE c.relkind = 'r' AND c.relnamespace = 's'::regnamespace ORDER BY 1`,
    );
    return rows.map(({ name, place, parameters, said }) => [name, place, parameters, said]);
  }

  it("are copied there while readers and writers go on; small ones are rewritten in place", async () => {
    await fill(0);
    const before = await contentOf(client, "s.p", "k, pad");
    const jobs = [
      ["UPDATE s.p SET note = note || '.' WHERE k % 50 = 1"],
      ["SELECT 1 / (count(*) > 10000)::int FROM s.p"],
    ];
    const traffic = await startTraffic(database, jobs, 20_000);
    const made = await up(desired({ tablespace: "roomy", parameters: { fillfactor: "80" } }));
    const { failures } = await traffic.stop();
    assert.deepEqual(failures, []);
    assert.deepEqual(
      made.steps.map(({ id, method }) => [id, method]),
      [
        ["reorganize:a", "copyAndSwap"],
        ["adjust:b", "adjust"],
        ["adjust:d", "adjust"],
      ],
    );
    assert.match(
      made.steps[0]!.reason,
      /^tablespace: pg_default instead of roomy; copied while the application goes on/,
    );
    assert.equal(await contentOf(client, "s.p", "k, pad"), before);
    assert.deepEqual(await stored(), [
      ["a", "roomy", ["fillfactor=80"], "a: 0 … 1000000"],
      ["b", "roomy", ["fillfactor=80"], "b: 1000000 … 2000000"],
      ["d", "roomy", ["fillfactor=80"], "d: DEFAULT"],
    ]);
  });

  it("a large DEFAULT is copied there, too", async () => {
    await fill(-1_000_000);
    const made = await up(desired({ tablespace: "roomy" }));
    assert.deepEqual(made.steps.find(({ kind }) => kind === "reorganize")?.id, "reorganize:d");
  });

  it("are left where they are when no rows may be moved", async () => {
    await fill(0);
    const wanted: DesiredSet = { ...desired({ tablespace: "roomy" }), reorganize: "refuse" };
    const { steps, findings } = await planned(wanted);
    assert.deepEqual(
      steps.map(({ id }) => id),
      ["adjust:a", "adjust:b", "adjust:d"],
    );
    assert.ok(
      steps.every(
        ({ differences = [] }, at) => at > 0 || differences.every(({ attribute }) => attribute !== "tablespace"),
      ),
    );
    assert.match(
      findings.map(({ reason }) => reason).join(),
      /rewrites \d+ MB under ACCESS EXCLUSIVE.*reorganize: "refuse" forbids/,
    );
  });

  it("get another access method in place from 15 on, and by a new table before", async () => {
    await client.query("CREATE ACCESS METHOD other TYPE TABLE HANDLER heap_tableam_handler");
    try {
      const before = await contentOf(client, "s.p");
      const made = await up(desired({ accessMethod: "other" }));
      const inPlace = server().major >= 15;
      assert.deepEqual(
        made.steps.filter(({ kind }) => kind !== "adjust" || inPlace).map(({ id, method }) => [id, method]),
        inPlace
          ? ["a", "b", "d"].map((name) => [`adjust:${name}`, "adjust"])
          : [
              ["reorganize:a", "moveInOneTransaction"],
              ["reorganize:b", "moveInOneTransaction"],
              ["reorganize:d", "copyAndSwap"],
            ],
      );
      assert.equal(await contentOf(client, "s.p"), before);
      const { rows } = await client.query(
        "SELECT DISTINCT m.amname::text AS method FROM pg_class c JOIN pg_am m ON m.oid = c.relam WHERE c.relname IN ('a', 'b', 'd')",
      );
      assert.deepEqual(rows, [{ method: "other" }]);
      if (inPlace) return;
      const { findings } = await planned({ ...desired({ accessMethod: "heap" }), reorganize: "refuse" });
      assert.match(
        findings[0]?.reason ?? "",
        /^access method: other instead of heap\. PostgreSQL does not change that in place/,
      );
    } finally {
      await client.query("DROP SCHEMA s CASCADE; DROP ACCESS METHOD other; CREATE SCHEMA s");
    }
  });

  it("what a split makes has the declared storage and comment from the start", async () => {
    const halves = live({ a: range("0", "500000"), a2: range("500000", "1000000"), b: WHOLE.b!, d: WHOLE.d! });
    await client.query("INSERT INTO s.p VALUES (1, 'low', ''), (600000, 'high', '')");
    await up(desired({ tablespace: "roomy", parameters: { fillfactor: "70" } }, halves));
    assert.deepEqual((await stored()).slice(0, 2), [
      ["a", "roomy", ["fillfactor=70"], "a: 0 … 500000"],
      ["a2", "roomy", ["fillfactor=70"], "a2: 500000 … 1000000"],
    ]);
  });
});
