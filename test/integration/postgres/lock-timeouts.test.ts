/**
 * How long anybody can wait behind this module is bounded by construction: whatever may keep readers or writers waiting is
 * sent under a lock_timeout, and those of one transaction add up to one step of the ladder. Read from the server's log.
 */
import assert from "node:assert/strict";
import { readSet } from "../../../postgres/catalog";
import { DEFAULT_LADDER } from "../../../postgres/ladder";
import { blocks } from "../../../postgres/locks";
import type { Statement } from "../../../postgres/statement";
import { renderStep } from "../../../postgres/statements";
import { DEFAULT_CHILDREN } from "../../../topology/attributes";
import type { DesiredSet } from "../../../topology/model";
import { plan } from "../../../topology/plan";
import { describeOnEachPostgres, type LoggedStatement } from "../../support/postgres";
import { startTraffic } from "../../support/traffic";
import { carryOut, createFamily, sessionsOn } from "./support";

const STEP_MS = Math.max(...DEFAULT_LADDER.steps);
/** Only so that a statement that waits for ever ends the test. */
const FOR_EVER_MS = 60_000;

const DESIRED: DesiredSet = {
  schema: "s",
  table: "p",
  strategy: "range",
  keyColumns: ["k"],
  keyTypes: ["integer"],
  partitions: {
    c0: { from: "0", to: "10", tier: "live" },
    c1: { from: "10", to: "20", tier: "dropped" },
    c2: { from: "20", to: "30", tier: "live" },
    c3: { from: "30", to: "40", tier: "detached" },
    d: { default: true, tier: "live" },
  },
  unmanaged: "report",
  adopt: [],
  children: DEFAULT_CHILDREN,
};

const JOBS: string[][] = [
  ["SELECT count(*) FROM s.p", "SELECT count(*) FROM s.inb"],
  ["INSERT INTO s.p VALUES (1, nextval('numbers'), 1, 'w')", "UPDATE s.p SET note = 'x' WHERE k = 3"],
  ["INSERT INTO s.inb VALUES (3)", "DELETE FROM s.inb WHERE k = 3"],
  // Against the order in which the tables are locked for a detach.
  ["BEGIN", "SELECT count(*) FROM s.p WHERE k < 10", "INSERT INTO s.inb VALUES (4)", "SELECT pg_sleep(0.02)", "COMMIT"],
];

describeOnEachPostgres("waits of others", (server) => {
  it("are bounded by lock_timeout, with DEFAULT and an incoming foreign key under load; no statement fails", async () => {
    const database = await server().createDatabase();
    const sessions = sessionsOn(database.connection);
    try {
      const client = await database.client();
      await createFamily(client, { withDefault: true, out: true, in: true });
      await client.query("CREATE TABLE s.c3 PARTITION OF s.p FOR VALUES FROM (30) TO (40)");
      await client.query("ALTER TABLE s.c0 REPLICA IDENTITY FULL; ALTER TABLE s.c0 ENABLE ROW LEVEL SECURITY");
      await client.query("CREATE SEQUENCE numbers START 1000");
      await database.logStatements();
      const set = await sessions.withSession((session) =>
        readSet(session, {
          schema: "s",
          table: "p",
          names: Object.keys(DESIRED.partitions).map((name) => ({ schema: "s", name })),
          known: {},
        }),
      );
      const { parent } = set;
      assert.ok(parent);
      const { steps } = plan(DESIRED, set, {});
      const kinds = new Set(steps.map(({ kind }) => kind));
      assert.deepEqual(kinds, new Set(["create", "detach", "drop", "adjust"]));

      const traffic = await startTraffic(database, JOBS, FOR_EVER_MS);
      const report = await carryOut(sessions, steps, { parent, ladder: DEFAULT_LADDER });
      const { failures, statements } = await traffic.stop();
      assert.deepEqual([report.failed, failures], [[], []]);
      assert.ok(statements > 0);

      const rendered = steps.flatMap((step) => renderStep(step, parent));
      const log = (await database.statementLog()).filter(
        ({ applicationName }) => applicationName === "pulumi-pgpartition",
      );
      const waits = longestWaits(log, rendered);
      assert.ok(waits.length >= steps.length, `${waits.length} transactions for ${steps.length} steps`);
      for (const { ms, sql } of waits) assert.ok(ms > 0 && ms <= STEP_MS, `${ms} ms: ${sql}`);
    } finally {
      await sessions.close();
      await database.drop();
    }
  });
});

/** Each transaction that may keep readers or writers waiting, and for how long at most: 0 stands for ever. */
function longestWaits(log: LoggedStatement[], rendered: Statement[]): { sql: string; ms: number }[] {
  const waits: { sql: string; ms: number }[] = [];
  for (const pid of new Set(log.map((one) => one.pid))) {
    let timeout = { session: 0, transaction: undefined as number | undefined };
    let blocked = new Set<string>();
    let sent: string[] = [];
    const close = () => {
      const ms = (timeout.transaction ?? timeout.session) * blocked.size;
      if (blocked.size > 0) waits.push({ sql: sent.join("; "), ms });
      [timeout, blocked, sent] = [{ ...timeout, transaction: undefined }, new Set(), []];
    };
    for (const { sql } of log.filter((one) => one.pid === pid)) {
      const set = /^SET (LOCAL )?lock_timeout = '?(\d+)/.exec(sql);
      if (set?.[1] !== undefined) timeout.transaction = Number(set[2]);
      else if (set !== null) timeout.session = Number(set[2]);
      if (/^(COMMIT|ROLLBACK)/.test(sql)) close();
      const statement = rendered.find((one) => one.sql === sql);
      if (statement === undefined) continue;
      sent.push(sql);
      for (const { relation, mode } of statement.locks)
        if (blocks(mode).writes && !isNew(relation)) blocked.add(relation);
      if (!statement.transactional) close();
    }
    close();
  }
  return waits;
}

/** The table that is made: nobody can wait for it. */
function isNew(relation: string): boolean {
  return relation === '"s"."c2"';
}
