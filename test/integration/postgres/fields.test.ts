/**
 * Every field of what is read of a set, changed once by hand: the next refresh records it, and Diff shows it. What each
 * attribute of a partition is repaired by is in `mutations.test.ts`.
 */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import type { ChildAttributes } from "../../../postgres/parent";
import type { ActualLevel, ActualParent, ActualPartition } from "../../../topology/model";
import type { StoredAttributes } from "../../../topology/tierStorage";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { SetUnderTest } from "../tree/support";
import { sessionsOn } from "./support";

/** A change, on the partition s.c1 or its parent s.p; or why there is none. */
type Field =
  | {
      sql: string;
      /** Nothing that is declared has changed: only recorded. */
      recorded?: true;
      /** First major version. */
      from?: number;
    }
  | { why: string };

/** A field without an entry does not compile. */
type Fields<Model> = Record<keyof Required<Model>, Field>;

const C1 = "PARTITION OF s.p FOR VALUES FROM (10) TO (20)";
const DIVIDED = `DROP TABLE s.c1; CREATE TABLE s.c1 ${C1} PARTITION BY LIST (k)`;

const ESTIMATE: Field = { why: "estimates would change at every refresh, and stay out of the state" };
const LOCKS: Field = { why: "a foreign key is the Table's; for a set it says which tables are locked with it" };
const IDENTITY: Field = { why: "another table, which a refresh refuses (identity.test.ts, names.test.ts)" };

const PARTITION: Fields<ActualPartition> = {
  schema: { sql: "CREATE SCHEMA elsewhere; ALTER TABLE s.c1 SET SCHEMA elsewhere" },
  name: { sql: "ALTER TABLE s.c1 RENAME TO other" },
  oid: { sql: `DROP TABLE s.c1; CREATE TABLE s.c1 ${C1}`, recorded: true },
  bound: {
    sql: "ALTER TABLE s.p DETACH PARTITION s.c1; ALTER TABLE s.p ATTACH PARTITION s.c1 FOR VALUES FROM (10) TO (15)",
  },
  state: { sql: "ALTER TABLE s.p DETACH PARTITION s.c1" },
  relkind: { sql: DIVIDED },
  rows: ESTIMATE,
  bytes: ESTIMATE,
  level: { sql: `${DIVIDED}; CREATE TABLE s.c1a PARTITION OF s.c1 DEFAULT` },
  differences: { sql: "GRANT SELECT ON s.c1 TO PUBLIC" },
  stored: { sql: "ALTER TABLE s.c1 SET (fillfactor = 50)" },
  guarded: { sql: "ALTER TABLE s.c1 ADD CONSTRAINT pgpartition_bound CHECK (k < 19)" },
  wasPartitionOf: {
    why: "what a drop of the table above leaves of a detached one: kept and told of, in tree/orphans.test.ts",
  },
  unvalidatedForeignKeys: { why: "PostgreSQL 14 only, in kept-foreign-keys.test.ts" },
  restored: { why: "what an interrupted restore has left: archive/crash.test.ts" },
  copy: { why: "of the archive, not of the catalog: archive/tiers.test.ts" },
  recorded: { why: "these very differences in words" },
};

const PARENT: Fields<ActualParent> = {
  schema: IDENTITY,
  name: IDENTITY,
  oid: IDENTITY,
  strategy: IDENTITY,
  keyColumns: { why: "PostgreSQL cannot change the key of a table" },
  keyTypes: { why: "PostgreSQL cannot change the type of a key" },
  defaultPartition: { sql: "CREATE TABLE s.d PARTITION OF s.p DEFAULT", recorded: true },
  references: LOCKS,
  referencedBy: LOCKS,
  itself: LOCKS,
  losesForeignKeys: LOCKS,
};

const LEVEL: Record<Exclude<keyof ActualLevel, keyof ActualParent>, Field> = {
  children: { sql: "DROP TABLE s.c1" },
  detached: { sql: "ALTER TABLE s.p DETACH PARTITION s.c0" },
  archived: { why: "of the archive, not of the catalog: archive/tiers.test.ts" },
  reorganizations: { why: "what an interrupted run has left: reorganize/crash.test.ts" },
};

const OF_PARENT: Fields<ChildAttributes> = {
  owner: { sql: "ALTER TABLE s.p OWNER TO pg_monitor" },
  grants: { sql: "GRANT SELECT ON s.p TO PUBLIC" },
  defaultGrantees: {
    why: "rights that a new table is given and that are taken from it at once: in the first test of mutations.test.ts",
  },
  rowSecurity: { sql: "ALTER TABLE s.p ENABLE ROW LEVEL SECURITY" },
  policies: { sql: "CREATE POLICY own ON s.p USING (tenant > 0)" },
  replicaIdentity: { sql: "ALTER TABLE s.p REPLICA IDENTITY FULL" },
  replicaIndex: { sql: "ALTER TABLE s.p REPLICA IDENTITY USING INDEX p_pkey" },
  ownerLacks: { sql: "REVOKE DELETE ON s.p FROM CURRENT_USER" },
  columns: { sql: "COMMENT ON COLUMN s.p.body IS 'by hand'" },
  extendedStatistics: { sql: "CREATE STATISTICS s.st ON k, tenant FROM s.p" },
  indexTargets: { sql: "ALTER INDEX s.c1_lower_idx ALTER COLUMN 1 SET STATISTICS 9" },
  tablespace: { sql: "ALTER TABLE s.p SET TABLESPACE PLACE" },
  accessMethod: { sql: "ALTER TABLE s.p SET ACCESS METHOD other_heap", from: 17 },
  indexes: { sql: "CREATE INDEX ON ONLY s.p (tenant)" },
};

const STORED: Fields<StoredAttributes> = {
  parameters: { sql: "ALTER TABLE s.c1 SET (autovacuum_enabled = off)" },
  tablespace: { sql: "ALTER TABLE s.c1 SET TABLESPACE PLACE" },
  accessMethod: { sql: "ALTER TABLE s.c1 SET ACCESS METHOD other_heap", from: 15 },
  comment: { sql: "COMMENT ON TABLE s.c1 IS 'by hand'" },
  inherited: { sql: "ALTER TABLE s.p SET TABLESPACE PLACE" },
};

const DECLARED = {
  schema: "s",
  table: "p",
  partitionBy: { range: { column: "k", type: "integer" } },
  partitions: { c0: { from: 0, to: 10 }, c1: { from: 10, to: 20 } },
  children: { comment: "{partition}" },
};

describeOnEachPostgres("fields of what is read of a set", (server, major) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;
  let place: string;

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    sessions = sessionsOn(database.connection);
    place = `place_of_${database.connection.database}`;
    await client.query("SET allow_in_place_tablespaces = on");
    await client.query(`CREATE TABLESPACE ${place} LOCATION ''`);
    await client.query("CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER heap_tableam_handler");
  });
  after(async () => {
    await sessions.close();
    await client.query("DROP SCHEMA s CASCADE");
    await client.query(`DROP TABLESPACE ${place}`);
    await database.drop();
  });

  const TYPES = {
    ActualPartition: PARTITION,
    ActualParent: PARENT,
    ActualLevel: LEVEL,
    ChildAttributes: OF_PARENT,
    StoredAttributes: STORED,
  };
  for (const [type, fields] of Object.entries<Record<string, Field>>(TYPES))
    for (const [name, field] of Object.entries(fields)) {
      if ("why" in field || major < (field.from ?? 0)) continue;
      it(`${type}.${name}: recorded by the next refresh`, async () => {
        await client.query(`
          DROP SCHEMA IF EXISTS s, elsewhere CASCADE; CREATE SCHEMA s;
          CREATE TABLE s.p (k int PRIMARY KEY, tenant int, body text) PARTITION BY RANGE (k);
          CREATE INDEX p_lower ON s.p (lower(body))`);
        const set = new SetUnderTest(sessions);
        await set.settle(DECLARED);
        await set.refresh(DECLARED);
        const before = JSON.stringify(set.outputs);
        for (const sql of field.sql.replace("PLACE", place).split("; ")) await client.query(sql);
        await set.refresh(DECLARED);
        assert.notEqual(JSON.stringify(set.outputs), before);
        if (field.recorded !== true) assert.notEqual(changesOf(set), "");
      });
    }

  /** What Diff shows, or the words under which what the next update leaves is recorded. */
  function changesOf(set: SetUnderTest): string {
    return set.diff(DECLARED).join() || (/"noticed":\{[^}]*\}/.exec(JSON.stringify(set.outputs))?.[0] ?? "");
  }
});
