/** What a new child has besides its columns, by either way of making it, is what its parent has. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { carryOut, childrenOf, range, sessionsOn, step } from "./support";

const SETUP = (roles: { owner: string; reader: string; creator: string }) => [
  `CREATE ROLE ${roles.owner}`,
  `CREATE ROLE ${roles.reader}`,
  `CREATE ROLE ${roles.creator} LOGIN SUPERUSER PASSWORD 'creator'`,
  "CREATE SCHEMA s",
  `GRANT ALL ON SCHEMA s TO ${roles.owner}`,
  "CREATE TABLE s.allowed (tenant int)",
  "CREATE TABLE s.p (id bigint GENERATED ALWAYS AS IDENTITY, k int NOT NULL, tenant int, body text, PRIMARY KEY (id, k)) PARTITION BY RANGE (k)",
  "CREATE TABLE s.c1 PARTITION OF s.p FOR VALUES FROM (10) TO (20)",
  "COMMENT ON COLUMN s.p.body IS 'the body''s text'",
  "ALTER TABLE s.p ALTER body SET STATISTICS 500",
  "CREATE STATISTICS s.st (ndistinct, dependencies) ON k, tenant FROM s.p",
  `ALTER TABLE s.p OWNER TO ${roles.owner}`,
  `GRANT SELECT, INSERT ON s.p TO ${roles.reader} WITH GRANT OPTION`,
  `GRANT UPDATE (body) ON s.p TO ${roles.reader}`,
  "GRANT SELECT ON s.p TO PUBLIC",
  "ALTER TABLE s.p ENABLE ROW LEVEL SECURITY",
  "ALTER TABLE s.p FORCE ROW LEVEL SECURITY",
  `CREATE POLICY "Own rows" ON s.p AS RESTRICTIVE FOR SELECT TO ${roles.reader} USING (EXISTS (SELECT FROM s.allowed a WHERE a.tenant = p.tenant AND p.k > 0))`,
  "CREATE POLICY every ON s.p USING (true) WITH CHECK (k > 1)",
  "ALTER TABLE s.p REPLICA IDENTITY FULL",
  `ALTER DEFAULT PRIVILEGES FOR ROLE ${roles.creator} GRANT ALL ON TABLES TO ${roles.reader}`,
];

describeOnEachPostgres("a new child", (server) => {
  let database: TestDatabase;
  let client: Client;
  let roles: { owner: string; reader: string; creator: string };

  beforeEach(async () => {
    database = await server().createDatabase();
    client = await database.client();
    const suffix = database.connection.database;
    roles = { owner: `owner_${suffix}`, reader: `reader_${suffix}`, creator: `creator_${suffix}` };
    for (const sql of SETUP(roles)) await client.query(sql);
  });

  afterEach(async () => {
    const { creator, owner, reader } = roles;
    for (const role of [creator, owner, reader]) await client.query(`DROP OWNED BY ${role} CASCADE`);
    await client.query(`DROP ROLE ${creator}, ${owner}, ${reader}`);
    await database.drop();
  });

  for (const method of ["partitionOf", "likeAttach"] as const) {
    it(`made by ${method} carries what its parent has`, async () => {
      const sessions = sessionsOn({ ...database.connection, user: roles.creator, password: "creator" });
      try {
        const report = await carryOut(sessions, [step(method, "c2", { bound: range("20", "30") })]);
        assert.deepEqual([report.done, report.failed], [["create:c2"], []]);
      } finally {
        await sessions.close();
      }
      assert.deepEqual(await attributes(client, "s.c2"), await attributes(client, "s.p"));
      assert.deepEqual(await childrenOf(client), [
        "c1 FOR VALUES FROM (10) TO (20)",
        "c2 FOR VALUES FROM (20) TO (30)",
      ]);
      await client.query("INSERT INTO s.p (k, tenant) VALUES (12, 1), (22, 1), (23, 1)");
      const { rows } = await client.query("SELECT id::int FROM s.p ORDER BY id");
      assert.deepEqual(rows, [{ id: 1 }, { id: 2 }, { id: 3 }]);
    });

    it(`made by ${method} has the index that is the parent's replica identity as its own`, async () => {
      await client.query("ALTER TABLE s.p REPLICA IDENTITY USING INDEX p_pkey");
      const sessions = sessionsOn(database.connection);
      try {
        const report = await carryOut(sessions, [step(method, "c2", { bound: range("20", "30") })]);
        assert.deepEqual(report.failed, []);
      } finally {
        await sessions.close();
      }
      const { rows } = await client.query(
        "SELECT c.relname FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid WHERE x.indrelid = 's.c2'::regclass AND x.indisreplident",
      );
      assert.deepEqual(rows, [{ relname: "c2_pkey" }]);
    });
  }
});

/** Everything that is compared, without names that differ by nature. */
async function attributes(client: Client, table: string): Promise<unknown> {
  const short = table.replace("s.", "");
  const one = async (sql: string) => (await client.query(sql, [table])).rows;
  return {
    relation: await one(
      "SELECT pg_get_userbyid(relowner) AS owner, relrowsecurity, relforcerowsecurity, relreplident FROM pg_class WHERE oid = $1::regclass",
    ),
    grants: await one(
      `SELECT g.grantee::regrole::text, g.privilege_type, g.is_grantable FROM pg_class c, aclexplode(c.relacl) g
       WHERE c.oid = $1::regclass ORDER BY 1, 2, 3`,
    ),
    columns: await one(
      `SELECT attname, attacl::text, coalesce(nullif(attstattarget, -1), NULL) AS target, col_description(attrelid, attnum) AS comment
       FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attname`,
    ),
    policies: (
      await one(
        `SELECT polname, polcmd, polpermissive, polroles::regrole[]::text AS roles, pg_get_expr(polqual, polrelid) AS qual,
         pg_get_expr(polwithcheck, polrelid) AS "check" FROM pg_policy WHERE polrelid = $1::regclass ORDER BY polname`,
      )
    ).map((row) => JSON.stringify(row).replaceAll(`${short}.`, "T.")),
    statistics: await one(
      "SELECT stxkind, stxkeys::text FROM pg_statistic_ext WHERE stxrelid = $1::regclass ORDER BY stxkeys::text",
    ),
  };
}
