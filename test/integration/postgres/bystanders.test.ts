/** What everybody else notices of a run. */
import assert from "node:assert/strict";
import { boundPredicate } from "../../../postgres/boundSql";
import { DEFAULT_LADDER } from "../../../postgres/ladder";
import { renderStep } from "../../../postgres/statements";
import type { PartitionBound } from "../../../topology/model";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { carryOut, childrenOf, oidOf, range, readParentOf, step, withFamily } from "./support";

/** One step of the ladder, and what a busy machine may add. */
const LONGEST_WAIT_MS = Math.max(...DEFAULT_LADDER.steps) + 400;

const READER_HOLDS_MS = 4_000;

describeOnEachPostgres("bystanders", (server) => {
  it("never wait longer than one step of the ladder while a long reader is in the way", function () {
    this.timeout(0);
    return withFamily(
      server().createDatabase(),
      { withDefault: true, in: true },
      async ({ client, sessions, database }) => {
        const reader = await database.client("report");
        await reader.query("BEGIN");
        await reader.query("SELECT count(*) FROM s.p");
        const traffic = startTraffic(database);
        const oid = await oidOf(client, "s.c1");
        const started = performance.now();
        let waited = false;
        let released: Promise<unknown> | undefined;
        const report = await carryOut(
          sessions,
          [
            step("likeAttach", "c2", { bound: range("20", "30") }),
            step("detachPlain", "c1", { oid }),
            step("dropTable", "c1", { oid, after: ["detach:c1"] }),
          ],
          {
            ladder: DEFAULT_LADDER,
            onEvent: (event) => {
              waited ||= event.type === "waiting";
              if (performance.now() - started > READER_HOLDS_MS) released ??= reader.query("COMMIT");
            },
          },
        );
        const waits = await traffic.stop();
        assert.ok(waited && released, "the reader was in nobody's way");
        assert.deepEqual([report.done, report.failed], [["create:c2", "detach:c1", "drop:c1"], []]);
        assert.ok(waits.length > 100, `${waits.length} statements`);
        assert.ok(Math.max(...waits) <= LONGEST_WAIT_MS, `longest wait ${Math.max(...waits)} ms`);
      },
    );
  });

  it("are let through between tries when transactions of others never end", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions, database }) => {
      const traffic = startTraffic(database);
      const oid = await oidOf(client, "s.c1");
      const report = await carryOut(sessions, [step("detachPlain", "c1", { oid })], { ladder: DEFAULT_LADDER });
      const waits = await traffic.stop();
      assert.deepEqual(report.failed, []);
      assert.ok(Math.max(...waits) <= LONGEST_WAIT_MS, `longest wait ${Math.max(...waits)} ms`);
      assert.deepEqual(await childrenOf(client), ["c0 FOR VALUES FROM (0) TO (10)"]);
    }));

  const GUARDED: [string, string, string, PartitionBound][] = [
    ["RANGE of integers", "k bigint", "RANGE (k)", { from: "1", to: "5" }],
    [
      "RANGE of instants, NOT NULL",
      "k timestamptz NOT NULL",
      "RANGE (k)",
      { from: "2026-01-01 00:00:00+00", to: "MAXVALUE" },
    ],
    ["RANGE of dates without a lower bound", "k date", "RANGE (k)", { from: "MINVALUE", to: "2026-01-01" }],
    ["RANGE of two columns", "a int, k text", "RANGE (a, k)", { from: ["1", "x"], to: ["2", "MINVALUE"] }],
    ["LIST of one", "k varchar(9)", "LIST (k)", { values: ["it's"] }],
    ["LIST of several with NULL", "k text", "LIST (k)", { values: ["a", "b", null] }],
    ["LIST of several", "k varchar", "LIST (k)", { values: ["a", "b"] }],
    [
      "an expression",
      "k timestamptz",
      "RANGE (((k AT TIME ZONE 'UTC')::date))",
      { from: "2026-01-01", to: "2026-02-01" },
    ],
  ];

  for (const [title, columns, key, bound] of GUARDED) {
    it(`wait for no scan of DEFAULT behind a guard: ${title}`, () =>
      withFamily(server().createDatabase(), {}, async ({ client, sessions }) => {
        await client.query(`CREATE TABLE s.q (${columns}) PARTITION BY ${key}`);
        await client.query("CREATE TABLE s.qd PARTITION OF s.q DEFAULT");
        const parent = await readParentOf(sessions, "q");
        assert.ok(boundPredicate(bound, parent.keys));
        const report = await carryOut(sessions, [step("guard", "qd", { excludes: [bound] })], { parent });
        assert.deepEqual(report.failed, []);
        const notices: string[] = [];
        client.on("notice", (notice) => notices.push(String(notice.message)));
        await client.query("SET client_min_messages = debug1");
        for (const { sql } of renderStep(step("likeAttach", "q1", { bound }), parent)) await client.query(sql);
        const proven = 'updated partition constraint for default partition "qd" is implied by existing constraints';
        assert.ok(notices.includes(proven), notices.join("\n"));
      }));
  }
});

/** Two sessions that read and write other rows of `s.p` without a pause; `stop` gives how long each statement took. */
function startTraffic(database: TestDatabase): { stop(): Promise<number[]> } {
  const waits: number[] = [];
  let running = true;
  const loop = async (sql: string) => {
    const session = await database.client("application");
    while (running) {
      const started = performance.now();
      await session.query(sql);
      waits.push(performance.now() - started);
    }
  };
  const loops = [loop("SELECT * FROM s.p"), loop("UPDATE s.p SET note = 'y' WHERE k = 3")];
  return {
    stop: async () => {
      running = false;
      await Promise.all(loops);
      return waits;
    },
  };
}
