/**
 * Every attribute of the catalog model, changed by hand on a partition (and on the parent): it is read, planned (or reported)
 * and repaired, with the locks that were predicted, and nothing is left to do.
 */

import assert from "node:assert/strict";
import type { Client } from "pg";
import { readSet } from "../../../postgres/catalog";
import type { Sessions } from "../../../postgres/connection";
import { execute } from "../../../postgres/executor";
import { applyIndex } from "../../../postgres/index/apply";
import { readTopmostDefinitions } from "../../../postgres/index/definition";
import type { CatalogSet } from "../../../postgres/parent";
import { renderStep } from "../../../postgres/statements";
import { ATTRIBUTES, type ChildAttribute, type ChildrenPolicy, DEFAULT_CHILDREN } from "../../../topology/attributes";
import { placesOf } from "../../../topology/level";
import type { DesiredSet } from "../../../topology/model";
import { plan } from "../../../topology/plan";
import type { Plan } from "../../../topology/steps";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { DESIRED, type Mutation, mutations, role, SETUP } from "./mutations";
import { expectPredictedLocks } from "./predicted-locks";
import { QUICK, sessionsOn } from "./support";

describeOnEachPostgres("attributes of partitions", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;
  let names: [owner: string, reader: string, other: string];

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    names = ["owner", "reader", "other"].map((name) => role(database.connection.database, name)) as typeof names;
    sessions = sessionsOn(database.connection);
    await createTablespace(client);
    for (const sql of SETUP(...names, server().major)) await client.query(sql);
    // Two made by PARTITION OF, one by LIKE and ATTACH: whatever way a partition came, it is like its parent.
    const { c2: _, ...first } = DESIRED.partitions;
    await carryOut({ ...DESIRED, partitions: first });
    await carryOut(DESIRED);
    await client.query("CREATE UNIQUE INDEX c1_other ON s.c1 (id)");
    await client.query("ALTER TABLE s.c1 ALTER id SET NOT NULL");
    await client.query("INSERT INTO s.p (k, tenant) SELECT g, 1 FROM generate_series(2, 29) g");
  });

  after(async () => {
    await sessions?.close();
    await client.query("ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM PUBLIC");
    for (const name of names) await client.query(`DROP OWNED BY ${name} CASCADE`);
    await client.query(`DROP ROLE ${names.join(", ")}`);
    await client.query("DROP SCHEMA s CASCADE");
    await client.query("DROP TABLESPACE elsewhere");
    await database?.drop();
  });

  const read = (policy?: ChildrenPolicy): Promise<CatalogSet> =>
    sessions.withSession((session) =>
      readSet(session, {
        schema: "s",
        table: "p",
        names: [...placesOf(DESIRED.partitions, "s")],
        known: {},
        revoked: policy?.grants === "none",
      }),
    );

  async function planned(desired: DesiredSet): Promise<{ plan: Plan; set: CatalogSet }> {
    const set = await read(desired.children);
    return { plan: plan(desired, set, {}), set };
  }

  async function carryOut(desired: DesiredSet): Promise<Plan> {
    const { plan: made, set } = await planned(desired);
    assert.ok(set.parent);
    const report = await execute(made, { sessions, parent: set.parent, ladder: QUICK });
    assert.deepEqual(report.failed, []);
    return made;
  }

  async function nothingToDo(desired: DesiredSet = DESIRED): Promise<void> {
    const { plan: second } = await planned(desired);
    assert.deepEqual([second.steps, second.findings, second.indexes], [[], [], undefined]);
  }

  /** As `up` does after all steps. */
  async function completeIndexes(set: CatalogSet, indexes: Plan["indexes"] = []): Promise<void> {
    await sessions.withSession(async (session) => {
      for (const declared of await readTopmostDefinitions(session, set.parent?.oid ?? 0, indexes))
        await applyIndex({ sessions, session, ladder: QUICK }, declared, declared.tableOid);
    });
  }

  it("are those of the parent from the start, and then nothing is left to do", () => nothingToDo());

  it("are repaired with the locks that were predicted", async () => {
    const { indexes: _, ...steps } = mutations(...names);
    for (const mutation of Object.values(steps).flat()) {
      if (!isPossible(mutation) || mutation.parent || mutation.undo !== undefined) continue;
      await client.query(mutation.sql);
      const { plan: made, set } = await planned(DESIRED);
      const [step] = made.steps;
      assert.ok(step && set.parent, mutation.sql);
      await expectPredictedLocks(database, renderStep(step, set.parent));
    }
    await nothingToDo();
  });

  for (const attribute of Object.keys(ATTRIBUTES) as ChildAttribute[]) {
    it(`${attribute}: every change by hand is found and repaired, or reported`, async () => {
      for (const mutation of mutations(...names)[attribute]) await mutate(attribute, mutation);
    });
  }

  const isPossible = ({ from = 0, to = 99 }: Mutation) => server().major >= from && server().major <= to;

  async function mutate(attribute: ChildAttribute, mutation: Mutation): Promise<void> {
    if (!isPossible(mutation)) return;
    await client.query(mutation.sql);
    const { plan: made, set } = await planned(DESIRED);
    const hit = mutation.parent ? Object.keys(DESIRED.partitions) : ["c1"];
    if (mutation.undo !== undefined) {
      assert.deepEqual([made.steps, made.findings.length], [[], 1], mutation.sql);
      assert.match(made.findings[0]!.reason, new RegExp(`^${hit.join(", ")}: ${ATTRIBUTES[attribute].label}`));
      await client.query(mutation.undo);
      return nothingToDo();
    }
    if (attribute === "indexes") {
      assert.deepEqual([made.steps, made.indexes?.map(({ partitions }) => partitions)], [[], [hit]], mutation.sql);
      await completeIndexes(set, made.indexes);
      return nothingToDo();
    }
    assert.deepEqual(
      made.steps.map(({ id }) => id),
      hit.map((name) => `adjust:${name}`),
      mutation.sql,
    );
    const found = new Set(made.steps.flatMap(({ differences = [] }) => differences.map((one) => one.attribute)));
    assert.deepEqual([...found], [attribute], mutation.sql);
    await carryOut(DESIRED);
    await nothingToDo();
  }

  it("are left alone where the policy says so, and only shown where it says so", async () => {
    await client.query("ALTER TABLE s.c1 REPLICA IDENTITY DEFAULT");
    const children = (replicaIdentity: ChildrenPolicy["replicaIdentity"]): DesiredSet => ({
      ...DESIRED,
      children: { ...DEFAULT_CHILDREN, replicaIdentity },
    });
    await nothingToDo(children("ignore"));
    const { plan: shown } = await planned(children("report"));
    assert.deepEqual(shown.steps, []);
    assert.deepEqual(
      shown.findings.map(({ severity, path }) => [severity, path]),
      [["warning", "children"]],
    );
    await carryOut(DESIRED);
    await nothingToDo();
  });

  it("grants: none takes every right but the owner's from partitions, new ones too", async () => {
    const revoked: DesiredSet = {
      ...DESIRED,
      partitions: { ...DESIRED.partitions, c3: { from: "30", to: "40", tier: "live" } },
      children: { ...DEFAULT_CHILDREN, grants: "none" },
    };
    await carryOut(revoked);
    await nothingToDo(revoked);
    const { rows } = await client.query<{ grantee: string; count: number }>(
      `SELECT pg_get_userbyid(g.grantee)::text AS grantee, count(DISTINCT c.relname)::int AS count
       FROM pg_class c, aclexplode(c.relacl) g WHERE c.relname ~ '^c[0-3]$' GROUP BY 1`,
    );
    assert.deepEqual(rows, [{ grantee: names[0], count: 4 }]);
    await client.query("DROP TABLE s.c3");
    await carryOut(DESIRED);
    await nothingToDo();
  });

  it("a table that comes back or is adopted gets them in the same run", async () => {
    await client.query("ALTER TABLE s.p DETACH PARTITION s.c1");
    await client.query(`ALTER TABLE s.c1 DISABLE ROW LEVEL SECURITY; GRANT ALL ON s.c1 TO ${names[2]}`);
    const adopting = { ...DESIRED, adopt: ["c1"] };
    const made = await carryOut(adopting);
    assert.deepEqual(
      made.steps.map(({ id, after }) => [id, after]),
      [
        ["attach:c1", []],
        ["adjust:c1", ["attach:c1"]],
      ],
    );
    await nothingToDo();
  });

  it("policies are equal where a partition's columns stand at other numbers", async () => {
    await client.query("ALTER TABLE s.p DETACH PARTITION s.c1");
    await client.query("ALTER TABLE s.c1 ADD COLUMN away int; ALTER TABLE s.c1 DROP COLUMN away");
    await client.query("ALTER TABLE s.c1 DROP COLUMN tenant CASCADE; ALTER TABLE s.c1 ADD COLUMN tenant int");
    await carryOut({ ...DESIRED, adopt: ["c1"] });
    await nothingToDo();
  });
});

async function createTablespace(client: Client): Promise<void> {
  await client.query("SET allow_in_place_tablespaces = on").catch(() => undefined);
  await client.query("CREATE TABLESPACE elsewhere LOCATION ''");
}
