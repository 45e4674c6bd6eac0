/** Statements that put an attribute of a partition right: each attribute, with each action that there is for it. */
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import { renderStep } from "../../../postgres/statements";
import type { AttributeDifference, ChildAttribute } from "../../../topology/attributes";
import type { TestDatabase, TestServer } from "../../support/postgres";
import { openForSuite } from "../postgres/opened";
import { expectPredictedLocks } from "../postgres/predicted-locks";
import { createFamily, oidOf, readParentOf, step } from "../postgres/support";

type Change = Omit<AttributeDifference, "attribute"> & { from?: number; to?: number };

const ROLE = "pg_read_all_stats";
const GRANTOR = "pg_monitor";

/** Only ever reported. */
const REPORTED = "reported";

/** An attribute without an entry does not compile. */
const CHANGES: Record<ChildAttribute, Change[] | typeof REPORTED> = {
  owner: [{ expected: "pg_monitor" }],
  grants: [
    { name: "SELECT", role: ROLE, expected: "granted" },
    { name: "SELECT", role: ROLE, expected: "granted with grant option", found: "granted" },
    { name: "SELECT", role: ROLE, expected: "granted", found: "granted with grant option" },
    { name: "UPDATE", role: ROLE, found: "granted" },
    { name: "SELECT", role: ROLE, grantor: GRANTOR, found: "granted" },
  ],
  columnGrants: [
    { name: "UPDATE", column: "note", role: ROLE, expected: "granted" },
    { name: "UPDATE", column: "note", role: ROLE, found: "granted" },
  ],
  rowSecurity: [{ expected: "enabled" }, { expected: "disabled" }],
  forceRowSecurity: [{ expected: "forced" }, { expected: "not forced" }],
  policies: [
    { name: "own", expected: "any", found: "another" },
    { name: "alien", found: "any" },
  ],
  replicaIdentity: [{ expected: "full" }, { expected: "nothing" }, { expected: "default" }, { expected: "index" }],
  publications: [{ name: "by_name", found: "named by itself" }],
  triggers: ["disabled", "always", "replica", "enabled"].map((expected) => ({ name: "noted", expected })),
  ownTriggers: REPORTED,
  statisticsTargets: [{ column: "note", expected: "7" }, { column: "note" }],
  columnOptions: [
    { column: "note", name: "n_distinct", expected: "5" },
    { column: "note", name: "n_distinct" },
  ],
  indexStatisticsTargets: [{ name: "c1_lower", column: "1", expected: "9" }],
  extendedStatistics: [{ expected: "(ndistinct) ON r, note" }],
  extendedStatisticsTargets: [{ name: "c1_st", expected: "9" }, { name: "c1_st" }],
  comment: [{ expected: "c" }, {}],
  columnComments: [{ column: "note", expected: "c" }, { column: "note" }],
  columnDefaults: [{ column: "note", expected: "'none'" }, { column: "note" }],
  columnIdentity: [{ column: "tenant", to: 16 }],
  generatedColumns: [{ column: "twice", expected: "k * 2", from: 17 }],
  columnStorage: [{ column: "note", expected: "EXTERNAL" }],
  columnCompression: [{ column: "note", expected: "pglz" }, { column: "note" }],
  storageParameters: [{ name: "fillfactor", expected: "90" }, { name: "fillfactor" }],
  persistence: [{ expected: "logged", found: "unlogged" }],
  tablespace: [{ expected: "pg_default" }],
  accessMethod: [{ expected: "heap", from: 15 }],
  indexes: REPORTED,
};

const SETUP = (major: number) => [
  "ALTER TABLE s.g ADD COLUMN twice int GENERATED ALWAYS AS (k * 2) STORED",
  "CREATE POLICY own ON s.p USING (EXISTS (SELECT FROM s.ref a WHERE a.r = p.tenant))",
  "CREATE POLICY own ON s.c1 USING (false)",
  "CREATE POLICY alien ON s.c1 USING (true)",
  "ALTER TABLE s.p REPLICA IDENTITY USING INDEX p_pkey",
  "CREATE STATISTICS s.st (ndistinct) ON r, note FROM s.p",
  "CREATE STATISTICS s.c1_st ON tenant, note FROM s.c1",
  "CREATE INDEX c1_lower ON s.c1 (lower(note))",
  "CREATE FUNCTION s.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
  "CREATE TRIGGER noted BEFORE INSERT ON s.p FOR EACH ROW EXECUTE FUNCTION s.note()",
  "CREATE PUBLICATION by_name FOR TABLE s.c1",
  `GRANT USAGE ON SCHEMA s TO ${GRANTOR}`,
  `GRANT SELECT ON s.c1 TO ${GRANTOR} WITH GRANT OPTION`,
  `SET ROLE ${GRANTOR}`,
  `GRANT SELECT ON s.c1 TO ${ROLE}`,
  "RESET ROLE",
  ...(major < 17 ? ["ALTER TABLE s.c1 ALTER tenant ADD GENERATED ALWAYS AS IDENTITY"] : []),
];

export function comparesAttributes(server: () => TestServer): void {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;

  openForSuite(server, (opened) => {
    ({ database, client, sessions } = opened);
  });
  before(async () => {
    await createFamily(client, { withDefault: true, out: true, in: true });
    for (const sql of SETUP(server().major)) await client.query(sql);
  });

  for (const [attribute, changes] of Object.entries(CHANGES) as [ChildAttribute, Change[] | typeof REPORTED][]) {
    if (changes === REPORTED) continue;
    it(attribute, async () => {
      for (const { from = 0, to = 99, ...difference } of changes) {
        if (server().major < from || server().major > to) continue;
        const parent = await readParentOf(sessions);
        const differences = [{ attribute, ...difference }];
        const oid = await oidOf(client, "s.c1");
        await expectPredictedLocks(database, renderStep(step("adjust", "c1", { oid, differences }), parent));
      }
    });
  }
}
