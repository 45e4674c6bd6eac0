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
import { expectPredictedLocks } from "./predicted-locks";
import { QUICK, sessionsOn } from "./support";

interface Mutation {
  /** On the partition s.c1; on the parent s.p when `parent`. */
  sql: string;
  parent?: boolean;
  /** Shown and not repaired; then undone by this. */
  undo?: string;
  from?: number;
  to?: number;
  /** What else the change brings with it. */
  also?: ChildAttribute[];
}

/** Roles are the database's own, so that suites do not meet. */
const role = (database: string, name: string) => `${name}_${database}`;

/** A new attribute without a mutation does not compile. */
const mutations = (owner: string, reader: string, other: string): Record<ChildAttribute, Mutation[]> => ({
  owner: [
    { sql: `ALTER TABLE s.c1 OWNER TO ${other}` },
    { sql: `ALTER TABLE s.p OWNER TO ${other}`, parent: true },
    { sql: `ALTER TABLE s.p OWNER TO ${owner}`, parent: true },
  ],
  grants: [
    { sql: `GRANT SELECT ON s.c1 TO ${other}` },
    { sql: `GRANT SELECT ON s.c1 TO ${other} WITH GRANT OPTION` },
    { sql: `REVOKE INSERT ON s.c1 FROM ${reader}` },
    { sql: `REVOKE GRANT OPTION FOR INSERT ON s.c1 FROM ${reader}` },
    { sql: "GRANT TRUNCATE ON s.c1 TO PUBLIC" },
    { sql: `REVOKE DELETE ON s.c1 FROM ${owner}` },
    { sql: `SET ROLE ${reader}; GRANT INSERT ON s.c1 TO ${other}; RESET ROLE` },
    { sql: `GRANT DELETE ON s.p TO ${other}`, parent: true },
    { sql: `REVOKE UPDATE ON s.p FROM ${owner}`, parent: true },
  ],
  columnGrants: [
    { sql: `GRANT SELECT (body) ON s.c1 TO ${other}` },
    { sql: `REVOKE UPDATE (body) ON s.c1 FROM ${reader}` },
    { sql: `GRANT SELECT (k) ON s.p TO ${other}`, parent: true },
  ],
  rowSecurity: [
    { sql: "ALTER TABLE s.c1 DISABLE ROW LEVEL SECURITY" },
    { sql: "ALTER TABLE s.p DISABLE ROW LEVEL SECURITY", parent: true },
  ],
  forceRowSecurity: [
    { sql: "ALTER TABLE s.c1 NO FORCE ROW LEVEL SECURITY" },
    { sql: "ALTER TABLE s.p NO FORCE ROW LEVEL SECURITY", parent: true },
  ],
  policies: [
    { sql: "DROP POLICY every ON s.c1" },
    { sql: "CREATE POLICY more ON s.c1 USING (true)" },
    { sql: "ALTER POLICY every ON s.c1 USING (k > 5)" },
    { sql: "ALTER POLICY every ON s.c1 WITH CHECK (k > 5)" },
    { sql: `ALTER POLICY every ON s.c1 TO ${reader}` },
    { sql: "DROP POLICY every ON s.c1; CREATE POLICY every ON s.c1 AS RESTRICTIVE USING (true) WITH CHECK (k > 1)" },
    { sql: "DROP POLICY every ON s.c1; CREATE POLICY every ON s.c1 FOR UPDATE USING (true) WITH CHECK (k > 1)" },
    { sql: "ALTER POLICY every ON s.p USING (k > 7)", parent: true },
    {
      sql: "CREATE POLICY more ON s.p USING (EXISTS (SELECT FROM s.allowed a WHERE a.tenant = p.tenant))",
      parent: true,
    },
  ],
  replicaIdentity: [
    { sql: "ALTER TABLE s.c1 REPLICA IDENTITY DEFAULT" },
    { sql: "ALTER TABLE s.c1 REPLICA IDENTITY USING INDEX c1_pkey" },
    { sql: "ALTER TABLE s.p REPLICA IDENTITY USING INDEX p_pkey", parent: true },
    { sql: "ALTER TABLE s.c1 REPLICA IDENTITY USING INDEX c1_other" },
    { sql: "ALTER TABLE s.p REPLICA IDENTITY NOTHING", parent: true },
    { sql: "ALTER TABLE s.p REPLICA IDENTITY FULL", parent: true },
  ],
  publications: [
    { sql: "DROP PUBLICATION IF EXISTS by_name; CREATE PUBLICATION by_name FOR TABLE s.c1" },
    {
      sql: "DROP PUBLICATION IF EXISTS by_root; CREATE PUBLICATION by_root FOR TABLE s.p, s.c1 WITH (publish_via_partition_root)",
    },
  ],
  triggers: [
    { sql: "ALTER TABLE s.c1 DISABLE TRIGGER noted" },
    { sql: "ALTER TABLE s.c1 ENABLE TRIGGER noted" },
    { sql: "ALTER TABLE s.c1 ENABLE REPLICA TRIGGER noted" },
    { sql: "ALTER TABLE ONLY s.p ENABLE REPLICA TRIGGER noted", parent: true },
  ],
  ownTriggers: [
    {
      sql: "CREATE TRIGGER own BEFORE INSERT ON s.c1 FOR EACH ROW EXECUTE FUNCTION s.note()",
      undo: "DROP TRIGGER own ON s.c1",
    },
  ],
  statisticsTargets: [
    { sql: "ALTER TABLE s.c1 ALTER k SET STATISTICS 7" },
    { sql: "ALTER TABLE s.c1 ALTER body SET STATISTICS -1" },
    { sql: "ALTER TABLE ONLY s.p ALTER tenant SET STATISTICS 70", parent: true },
  ],
  columnOptions: [
    { sql: "ALTER TABLE s.c1 ALTER tenant SET (n_distinct = 5)" },
    { sql: "ALTER TABLE s.c1 ALTER tenant RESET (n_distinct)" },
    { sql: "ALTER TABLE s.c1 ALTER k SET (n_distinct = 5)" },
    { sql: "ALTER TABLE ONLY s.p ALTER tenant SET (n_distinct = 17)", parent: true },
  ],
  indexStatisticsTargets: [{ sql: "ALTER INDEX s.c1_lower_idx ALTER COLUMN 1 SET STATISTICS 9" }],
  extendedStatistics: [
    {
      sql: "DO $$ BEGIN EXECUTE (SELECT format('DROP STATISTICS s.%I', stxname) FROM pg_statistic_ext WHERE stxrelid = 's.c1'::regclass AND stxexprs IS NULL); END $$",
    },
    { sql: "CREATE STATISTICS s.new_st (mcv) ON k, body FROM s.p", parent: true },
  ],
  extendedStatisticsTargets: [
    {
      sql: "DO $$ BEGIN EXECUTE (SELECT format('ALTER STATISTICS s.%I SET STATISTICS 3', stxname) FROM pg_statistic_ext WHERE stxrelid = 's.c1'::regclass AND stxexprs IS NULL LIMIT 1); END $$",
    },
    { sql: "ALTER STATISTICS s.st SET STATISTICS 33", parent: true },
  ],
  comment: [{ sql: "COMMENT ON TABLE s.c1 IS 'by hand'" }, { sql: "COMMENT ON TABLE s.c1 IS NULL" }],
  columnComments: [
    { sql: "COMMENT ON COLUMN s.c1.body IS 'by hand'" },
    { sql: "COMMENT ON COLUMN s.c1.body IS NULL" },
    { sql: "COMMENT ON COLUMN s.c1.k IS 'by hand'" },
    { sql: "COMMENT ON COLUMN s.p.k IS 'the key''s'", parent: true },
  ],
  columnDefaults: [
    { sql: "ALTER TABLE s.c1 ALTER body SET DEFAULT 'by hand'" },
    { sql: "ALTER TABLE s.c1 ALTER body DROP DEFAULT" },
    { sql: "ALTER TABLE s.c1 ALTER tenant SET DEFAULT 3" },
    { sql: "ALTER TABLE ONLY s.p ALTER tenant SET DEFAULT 4", parent: true },
  ],
  columnIdentity: [{ sql: "ALTER TABLE s.c1 ALTER id ADD GENERATED ALWAYS AS IDENTITY", to: 16 }],
  generatedColumns: [
    {
      sql: "ALTER TABLE s.c1 ALTER twice SET EXPRESSION AS (k * 3)",
      undo: "ALTER TABLE s.c1 ALTER twice SET EXPRESSION AS (k * 2)",
      from: 17,
    },
    { sql: "ALTER TABLE s.c1 ALTER thrice SET EXPRESSION AS (k * 4)", from: 18 },
  ],
  columnStorage: [
    { sql: "ALTER TABLE s.c1 ALTER body SET STORAGE PLAIN" },
    { sql: "ALTER TABLE ONLY s.p ALTER body SET STORAGE MAIN", parent: true },
  ],
  columnCompression: [
    { sql: "ALTER TABLE s.c1 ALTER body SET COMPRESSION DEFAULT" },
    { sql: "ALTER TABLE ONLY s.p ALTER body SET COMPRESSION DEFAULT", parent: true },
  ],
  persistence: [{ sql: "ALTER TABLE s.c1 SET UNLOGGED" }],
  storageParameters: [
    { sql: "ALTER TABLE s.c1 SET (fillfactor = 50)" },
    { sql: "ALTER TABLE s.c1 RESET (fillfactor)" },
    { sql: "ALTER TABLE s.c1 SET (autovacuum_enabled = off)" },
    { sql: "ALTER TABLE s.c1 SET (toast.autovacuum_enabled = on)" },
  ],
  tablespace: [{ sql: "ALTER TABLE s.c1 SET TABLESPACE elsewhere" }],
  accessMethod: [{ sql: "ALTER TABLE s.c1 SET ACCESS METHOD heap_again", from: 15 }],
  indexes: [{ sql: "CREATE INDEX lonely ON ONLY s.p (tenant)", parent: true }],
});

const SETUP = (owner: string, reader: string, other: string, major: number) => [
  `CREATE ROLE ${owner}`,
  `CREATE ROLE ${reader}`,
  `CREATE ROLE ${other}`,
  "CREATE ACCESS METHOD heap_again TYPE TABLE HANDLER heap_tableam_handler",
  "CREATE SCHEMA s",
  `GRANT ALL ON SCHEMA s TO ${owner}, ${other}, ${reader}`,
  "CREATE TABLE s.allowed (tenant int)",
  "CREATE FUNCTION s.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
  `CREATE TABLE s.p (id bigint GENERATED ALWAYS AS IDENTITY, k int NOT NULL, tenant int, body text COMPRESSION pglz DEFAULT 'none',
    twice int GENERATED ALWAYS AS (k * 2) STORED${major >= 18 ? ", thrice int GENERATED ALWAYS AS (k * 3) VIRTUAL" : ""},
    CONSTRAINT p_pkey PRIMARY KEY (id, k)) PARTITION BY RANGE (k)`,
  "CREATE INDEX p_lower_idx ON s.p (lower(body))",
  "ALTER INDEX s.p_lower_idx ALTER COLUMN 1 SET STATISTICS 400",
  "COMMENT ON COLUMN s.p.body IS 'the body''s text'",
  "ALTER TABLE s.p ALTER body SET STATISTICS 500",
  "ALTER TABLE s.p ALTER body SET STORAGE EXTERNAL",
  "ALTER TABLE s.p ALTER tenant SET (n_distinct = 12)",
  "CREATE STATISTICS s.st (ndistinct, dependencies) ON k, tenant FROM s.p",
  "ALTER STATISTICS s.st SET STATISTICS 30",
  "CREATE STATISTICS s.expressions ON (k % 10), tenant FROM s.p",
  `ALTER TABLE s.p OWNER TO ${owner}`,
  `REVOKE REFERENCES ON s.p FROM ${owner}`,
  `GRANT SELECT, INSERT ON s.p TO ${reader} WITH GRANT OPTION`,
  `GRANT UPDATE (body) ON s.p TO ${reader}`,
  "GRANT SELECT ON s.p TO PUBLIC",
  "ALTER TABLE s.p ENABLE ROW LEVEL SECURITY",
  "ALTER TABLE s.p FORCE ROW LEVEL SECURITY",
  `CREATE POLICY "Own rows" ON s.p AS RESTRICTIVE FOR SELECT TO ${reader} USING (EXISTS (SELECT FROM s.allowed a WHERE a.tenant = p.tenant AND p.k > 0))`,
  "CREATE POLICY every ON s.p USING (true) WITH CHECK (k > 1)",
  "ALTER TABLE s.p REPLICA IDENTITY FULL",
  "CREATE TRIGGER noted BEFORE INSERT ON s.p FOR EACH ROW EXECUTE FUNCTION s.note()",
  "ALTER TABLE s.p ENABLE ALWAYS TRIGGER noted",
  "CREATE PUBLICATION whole FOR TABLE s.p",
  `ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO ${other}`,
];

/** Everything is declared, so that everything can be repaired. */
const DESIRED: DesiredSet = {
  schema: "s",
  table: "p",
  strategy: "range",
  keyColumns: ["k"],
  keyTypes: ["integer"],
  partitions: {
    c0: { from: "0", to: "10", tier: "live" },
    c1: { from: "10", to: "20", tier: "live" },
    c2: { from: "20", to: "30", tier: "live" },
  },
  unmanaged: "report",
  adopt: [],
  children: { ...DEFAULT_CHILDREN, publications: "parent" },
  storage: { live: { parameters: { fillfactor: "90" }, tablespace: "pg_default", accessMethod: "heap" } },
  comment: "{partition} of {table}: {bound}",
};

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
    for (const mutation of Object.values(mutations(...names)).flat()) {
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
