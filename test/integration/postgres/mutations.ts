/** A table that has every attribute of the catalog model, and at least one change of each that is made by hand. */
import { type ChildAttribute, DEFAULT_CHILDREN } from "../../../topology/attributes";
import type { DesiredSet } from "../../../topology/model";

export interface Mutation {
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
export const role = (database: string, name: string) => `${name}_${database}`;

/** A new attribute without a mutation does not compile. */
export const mutations = (owner: string, reader: string, other: string): Record<ChildAttribute, Mutation[]> => ({
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
  indexes: [
    { sql: "CREATE INDEX lonely ON ONLY s.p (tenant)", parent: true },
    { sql: "ALTER INDEX s.p_lower_idx SET TABLESPACE elsewhere", parent: true },
    { sql: "REINDEX (TABLESPACE pg_default) INDEX s.c1_lower_idx" },
  ],
});

export const SETUP = (owner: string, reader: string, other: string, major: number) => [
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
export const DESIRED: DesiredSet = {
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
