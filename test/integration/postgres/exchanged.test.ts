/** Tables that bear the planned name but are others: put in place in the very moment in which the statement is sent. */
import assert from "node:assert/strict";
import { atTheGate, makeGate, openGate } from "../../support/gate";
import { describeOnEachPostgres } from "../../support/postgres";
import { carryOut, oidOf, QUICK, readParentOf, step, withFamily } from "./support";

/** The gate is a lock, too. */
const PATIENT = { ...QUICK, steps: [60_000], budget: 60_000 };

/** No lock on a table keeps its schema from being renamed. */
const EXCHANGE = `
  ALTER SCHEMA s RENAME TO former;
  CREATE SCHEMA s;
  CREATE TABLE s.ref (r int PRIMARY KEY);
  INSERT INTO s.ref VALUES (1);
  CREATE TABLE s.p (k int, r int REFERENCES s.ref) PARTITION BY RANGE (k);
  CREATE TABLE s.c1 (k int, r int CONSTRAINT fk REFERENCES s.ref);
  INSERT INTO s.c1 VALUES (12, 1)`;

const ATTACHED = "ALTER TABLE s.p ATTACH PARTITION s.c1 FOR VALUES FROM (10) TO (20)";

describeOnEachPostgres("a table that is put in another one's place just before the statement", (server) => {
  const CASES = [
    { title: "is not dropped", method: "dropTable", pattern: "DROP TABLE%", out: false, attached: false },
    { title: "keeps its foreign key", method: "dropTable", pattern: "%DROP CONSTRAINT%", out: true, attached: false },
    { title: "is not detached", method: "detachPlain", pattern: "%DETACH PARTITION%", out: false, attached: true },
  ] as const;
  for (const { title, method, pattern, out, attached } of CASES)
    it(title, () =>
      withFamily(server().createDatabase(), { out }, async ({ client, sessions }) => {
        const parent = await readParentOf(sessions);
        const oid = await oidOf(client, "s.c1");
        if (!attached) await client.query("ALTER TABLE s.p DETACH PARTITION s.c1");
        await makeGate(client, pattern);
        const running = carryOut(sessions, [step(method, "c1", { oid })], { parent, ladder: PATIENT });
        await atTheGate(client);
        await client.query(EXCHANGE);
        if (attached) await client.query(ATTACHED);
        await openGate(client);
        const { failed } = await running;
        assert.match(failed[0]?.error.reason ?? "", /exchanged for another table|which is now "former"."c1"/);
        const { rows } = await client.query(
          `SELECT (SELECT count(*)::int FROM s.c1) AS new, (SELECT count(*)::int FROM former.c1) AS former,
             (SELECT relispartition FROM pg_class WHERE oid = 's.c1'::regclass) AS attached,
             EXISTS (SELECT FROM pg_constraint WHERE conrelid = 's.c1'::regclass AND conname = 'fk') AS key`,
        );
        assert.deepEqual(rows, [{ new: 1, former: 10, attached, key: true }]);
      }),
    );
});
