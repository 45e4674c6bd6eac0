/**
 * Somebody who stays holds a lock on one relation only: the parent, a partition, DEFAULT, or a table that refers to it. A step
 * that would have to wait for it says who it is and leaves everything as it was; every other step is carried out beside it.
 */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import { conflicts } from "../../../postgres/locks";
import type { LockMode } from "../../../postgres/statement";
import { renderStep } from "../../../postgres/statements";
import type { Step } from "../../../topology/steps";
import { describeOnOldestAndNewest, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "./opened";
import {
  carryOut,
  childrenOf,
  createFamily,
  type Family,
  oidOf,
  QUICK,
  range,
  readParentOf,
  step,
  untilSeasoned,
} from "./support";

interface Holder {
  mode: LockMode;
  /** What is sent after the lock is taken. */
  stay: string;
  leave: string;
  named: RegExp;
}

const HOLDERS: Record<string, Holder> = {
  "a prepared transaction": {
    mode: "ROW EXCLUSIVE",
    stay: "PREPARE TRANSACTION 'nightly'",
    leave: "ROLLBACK PREPARED 'nightly'",
    named: /Prepared transaction "nightly" of postgres/,
  },
  "a session idle in a transaction": {
    mode: "ACCESS SHARE",
    stay: "SELECT 1",
    leave: "ROLLBACK",
    named: /application report/,
  },
  "somebody who builds an index": {
    mode: "SHARE",
    stay: "SELECT 1",
    leave: "ROLLBACK",
    named: /application report/,
  },
};

const FAMILIES: [string, Family, string[]][] = [
  ["a table", {}, ["s.p", "s.c0", "s.c1"]],
  ["a table with DEFAULT", { withDefault: true }, ["s.p", "s.c1", "s.d"]],
  ["a table that another one refers to", { in: true }, ["s.p", "s.c1", "s.inb"]],
];

/** No row of DEFAULT belongs there. */
const NEW = range("500", "600");

type Make = (client: Client, family: Family) => Promise<Step>;

const STEPS: Record<string, Make> = {
  "a new partition": async () => step("likeAttach", "c2", { bound: NEW }),
  "a detach": async (client, { withDefault }) =>
    step(withDefault ? "detachPlain" : "detachConcurrently", "c1", { oid: await oidOf(client, "s.c1") }),
};

/** Gives up after the first looks: who stays, stays. */
const IMPATIENT = { ...QUICK, budget: 300 };

describeOnOldestAndNewest("somebody who stays", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;

  openForEachTest(server, (opened) => {
    ({ database, client, sessions } = opened);
  });

  /** As the statements' own prediction has it. */
  async function isInTheWay(about: Step, relation: string, mode: LockMode): Promise<boolean> {
    const name = relation.replace(/(\w+)\.(\w+)/, '"$1"."$2"');
    return renderStep(about, await readParentOf(sessions)).some(
      ({ locks, waitsFor = [] }) =>
        waitsFor.includes(name) || locks.some((lock) => lock.relation === name && conflicts(lock.mode, mode)),
    );
  }

  async function expectUntouched(before: unknown, mode: LockMode): Promise<void> {
    assert.deepEqual(await childrenOf(client), before);
    const { rows } = await client.query("SELECT to_regclass('s.c2') AS left");
    assert.deepEqual(rows, [{ left: null }]);
    if (!conflicts("ROW EXCLUSIVE", mode))
      await client.query("INSERT INTO s.p (tenant, k) VALUES (1, 15) ON CONFLICT DO NOTHING");
  }

  for (const [title, family, relations] of FAMILIES)
    for (const [who, { mode, stay, leave, named }] of Object.entries(HOLDERS))
      it(`${who}, of ${title}`, async () => {
        await createFamily(client, family);
        for (const relation of relations)
          for (const [what, make] of Object.entries(STEPS)) {
            const about = await make(client, family);
            const holder = await database.client("report");
            await holder.query(`BEGIN; LOCK TABLE ONLY ${relation} IN ${mode} MODE; ${stay}`);
            await untilSeasoned(client, "report");
            const inTheWay = await isInTheWay(about, relation, mode);
            const before = await childrenOf(client);
            const first = await carryOut(sessions, [about], { ladder: IMPATIENT });
            const where = `${what} beside ${who} on ${relation}`;
            assert.equal(first.failed.length, inTheWay ? 1 : 0, `${where}: ${JSON.stringify(first.failed)}`);
            if (inTheWay) {
              assert.match(first.failed[0]?.error.reason ?? "", named, where);
              await expectUntouched(before, mode);
            }
            await holder.query(leave);
            await holder.end();
            if (inTheWay) assert.deepEqual((await carryOut(sessions, [about])).failed, [], where);
            await client.query("DROP SCHEMA s CASCADE");
            await createFamily(client, family);
          }
      });
});
