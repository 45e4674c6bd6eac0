/** The worker against a session that answers as it is told: what comes between two statements cannot be timed on a server. */
import assert from "node:assert/strict";
import type { Session } from "../../../postgres/connection";
import { DEFAULT_LADDER, systemClock } from "../../../postgres/ladder";
import { type CatalogParent, plannedParent } from "../../../postgres/parent";
import { contestedLocks, lockTimeout, segmentsOf } from "../../../postgres/segments";
import { renderStep } from "../../../postgres/statements";
import { Worker } from "../../../postgres/worker";
import type { Plan, Step } from "../../../topology/steps";

const PARENT: CatalogParent = {
  ...plannedParent({
    schema: "s",
    table: "p",
    strategy: "range",
    keyColumns: ["k"],
    partitions: { d: { default: true, tier: "live" } },
    unmanaged: "report",
    adopt: [],
  }),
  references: [{ schema: "s", name: "ref" }],
  referencedBy: [{ schema: "s", name: "inb" }],
  lockFirst: [{ schema: "s", name: "inb" }],
  oid: 1,
  keyColumns: ["k"],
  keyTypes: ["integer"],
  defaultPartition: undefined,
  below: {},
};

const BASE = { schema: "s", reason: "test", effect: { data: "none" as const }, transaction: 1, after: [] };

const DETACH: Step = { ...BASE, id: "detach:c", kind: "detach", method: "detachPlain", partition: "c", oid: 7 };

type Found = {
  oid: number;
  schema: string;
  name: string;
  is_partition: boolean;
  parent: number | null;
  pending: boolean;
  bound: string | null;
};

const ATTACHED: Found = {
  oid: 7,
  schema: "s",
  name: "c",
  is_partition: true,
  parent: 1,
  pending: false,
  bound: "DEFAULT",
};

/** Answers each look at the child with the next row, the last one for ever. */
function fakeSession(looks: Found[]): { session: Session; sent: string[] } {
  const sent: string[] = [];
  const parent = { ...ATTACHED, oid: 1, name: "p", parent: null };
  const session: Session = {
    pid: 1,
    query: async <R>(sql: string, parameters: unknown[] = []) => {
      if (!sql.startsWith("\n")) sent.push(sql);
      if (!sql.includes("WHERE c.oid = $1")) return [] as R[];
      if (parameters[0] === 1) return [parent] as R[];
      return [looks.length > 1 ? looks.shift() : looks[0]] as R[];
    },
    transaction: async (action) => {
      sent.push("BEGIN");
      try {
        const result = await action();
        sent.push("COMMIT");
        return result;
      } catch (error) {
        sent.push("ROLLBACK");
        throw error;
      }
    },
    copyOut: () => assert.fail("copies nothing"),
    copyIn: () => assert.fail("copies nothing"),
  };
  return { session, sent };
}

function workerOn(session: Session): Worker {
  return new Worker({
    session,
    parent: PARENT,
    clock: systemClock,
    onStart: () => undefined,
    onWait: () => undefined,
    onProgress: () => undefined,
    onArchived: () => undefined,
  });
}

describe("worker", () => {
  it("looks again after its locks are taken, and gives up when the table has become another one", async () => {
    const { session, sent } = fakeSession([ATTACHED, { ...ATTACHED, name: "renamed meanwhile" }]);
    await assert.rejects(workerOn(session).run([DETACH], DEFAULT_LADDER), /which is now "s"\."renamed meanwhile"/);
    assert.deepEqual(
      sent.map((sql) => sql.split(" ")[0]),
      ["BEGIN", "SET", "LOCK", "ROLLBACK"],
    );
  });

  it("sends what was rendered when nothing has changed, referencing tables locked first", async () => {
    const { session, sent } = fakeSession([ATTACHED, ATTACHED, { ...ATTACHED, is_partition: false, parent: null }]);
    const worker = workerOn(session);
    await worker.run([DETACH], DEFAULT_LADDER);
    assert.equal(worker.outcomes.get("detach:c"), "done");
    assert.deepEqual(sent, [
      "BEGIN",
      "SET LOCAL lock_timeout = '12ms'",
      'LOCK TABLE ONLY "s"."inb", ONLY "s"."p", ONLY "s"."c" IN ACCESS EXCLUSIVE MODE',
      'ALTER TABLE "s"."p" DETACH PARTITION "s"."c"',
      "COMMIT",
    ]);
  });
});

describe("segments", () => {
  const create = (name: string): Step => ({
    ...BASE,
    id: `create:${name}`,
    kind: "create",
    method: "likeAttach",
    partition: name,
    bound: { from: "1", to: "2" },
  });
  const render = (...steps: Plan["steps"]) =>
    segmentsOf(steps.map((step) => ({ step, statements: renderStep(step, PARENT) })));

  it("put creations into one transaction and a statement that is alone into its own", () => {
    const drop: Step = { ...BASE, id: "drop:c", kind: "drop", method: "dropTable", partition: "c", oid: 7 };
    const concurrently: Step = { ...DETACH, method: "detachConcurrently" };
    const shape = render(create("a"), create("b"), concurrently, drop).map(({ items, transactional }) => [
      items.map(({ step }) => step.id),
      transactional,
    ]);
    assert.deepEqual(shape, [
      [["create:a", "create:a", "create:b", "create:b"], true],
      [["detach:c"], false],
      [["drop:c", "drop:c"], true],
    ]);
  });

  it("share one step of the ladder among the locks that others can hold", () => {
    const [segment] = render(create("a"), create("b"));
    const locks = contestedLocks(segment!);
    assert.deepEqual(
      locks.map(({ relation }) => relation),
      ['"s"."p"', '"s"."ref"', '"s"."inb"'],
    );
    assert.equal(lockTimeout(500, locks), 250, "the lock on the parent blocks nobody's reads and writes");
    assert.equal(lockTimeout(500, []), 500);
    assert.equal(
      lockTimeout(
        50,
        Array.from({ length: 40 }, () => locks[1]!),
      ),
      10,
    );
  });
});
