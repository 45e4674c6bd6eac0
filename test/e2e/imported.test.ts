/** `pulumi import` of sets that others have made: what it records is the policy, and a program that says it changes nothing. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "pg";
import { describeOnEachPostgres, type TestDatabase } from "../support/postgres";
import { TestStack } from "../support/stack";

/** What stands in the database, by the name of the table; `has` are parts of the inputs that the import records. */
const TABLES: Record<string, { sql: string; has: Record<string, unknown> }> = {
  audit: {
    sql: `CREATE SCHEMA dynamic;
      CREATE TABLE audit (at timestamp NOT NULL) PARTITION BY RANGE (at);
      CREATE TABLE dynamic.audit_p2026_01 PARTITION OF audit FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
      CREATE TABLE dynamic.audit_p2026_02 PARTITION OF audit FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
      CREATE TABLE audit_old PARTITION OF audit FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
      INSERT INTO audit VALUES ('2026-01-15'), ('2020-01-01')`,
    has: {
      partitionSchema: "dynamic",
      partitionBy: { range: { column: "at", type: "timestamp", every: "month" } },
      window: { from: "2026-01", ahead: 0 },
      naming: "pg_partman4",
      partitions: { audit_old: { from: "MINVALUE", to: "2026-01-01 00:00:00", schema: "public" } },
    },
  },
  tenants: {
    sql: `CREATE TABLE tenants (tenant text NOT NULL, at date NOT NULL, id int NOT NULL) PARTITION BY LIST (tenant);
      ${["a", "b"]
        .map(
          (
            tenant,
          ) => `CREATE TABLE tenants_${tenant} PARTITION OF tenants FOR VALUES IN ('${tenant}') PARTITION BY RANGE (at);
            ${["2026-01", "2026-02", "2026-03"]
              .slice(0, -1)
              .map((month, at) => {
                const name = `tenants_${tenant}_${month.replace("-", "_")}`;
                const to = ["2026-02", "2026-03"][at];
                return `CREATE TABLE ${name} PARTITION OF tenants_${tenant} FOR VALUES FROM ('${month}-01') TO ('${to}-01') PARTITION BY HASH (id);
                  CREATE TABLE ${name}_p0 PARTITION OF ${name} FOR VALUES WITH (MODULUS 2, REMAINDER 0);
                  CREATE TABLE ${name}_p1 PARTITION OF ${name} FOR VALUES WITH (MODULUS 2, REMAINDER 1);`;
              })
              .join("\n")}`,
        )
        .join("\n")}
      INSERT INTO tenants SELECT 'a', '2026-01-15', n FROM generate_series(1, 10) n`,
    has: {
      partitionBy: { list: { column: "tenant", type: "text", values: { a: ["a"], b: ["b"] } } },
      partitions: undefined,
    },
  },
  buckets: {
    sql: `CREATE TABLE buckets (id int NOT NULL) PARTITION BY HASH (id);
      CREATE TABLE buckets_a PARTITION OF buckets FOR VALUES WITH (MODULUS 2, REMAINDER 0);
      CREATE TABLE buckets_b PARTITION OF buckets FOR VALUES WITH (MODULUS 4, REMAINDER 1);
      CREATE TABLE buckets_c PARTITION OF buckets FOR VALUES WITH (MODULUS 4, REMAINDER 3)`,
    has: { partitionBy: { hash: { columns: ["id"] } } },
  },
};

describeOnEachPostgres("imported sets", (server) => {
  let database: TestDatabase;
  let stack: TestStack;
  let client: Client;
  let inputs: Map<string, Record<string, unknown>>;

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    for (const { sql } of Object.values(TABLES)) await client.query(sql);
    stack = await TestStack.create({ database: database.connection, program: "" });
    await stack.mustRun(["up", "--yes", "--skip-preview"]);
    const { host, port, user, password, database: name } = database.connection;
    const config = Object.entries({ host, port, username: user, database: name });
    const pairs = config.flatMap(([key, value]) => ["--plaintext", `pgpartition:${key}=${value}`]);
    await stack.mustRun(["config", "set-all", "--secret", `pgpartition:password=${password}`, ...pairs]);
    const file = join(stack.directory, "import.json");
    const resources = Object.keys(TABLES).map((table) => ({
      type: "pgpartition:index:PartitionSet",
      name: table,
      id: `${name}/public.${table}`,
    }));
    await writeFile(file, JSON.stringify({ resources }));
    await stack.mustRun([
      "import",
      "--file",
      file,
      "--yes",
      "--skip-preview",
      "--protect=false",
      "--generate-code=false",
    ]);
    const { resources: recorded } = await stack.exportState();
    inputs = new Map(
      recorded
        .filter(({ type }) => type === "pgpartition:index:PartitionSet")
        .map(({ urn, inputs: found }) => [urn.split("::").at(-1) ?? "", found ?? {}]),
    );
  });

  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  for (const [table, { has }] of Object.entries(TABLES))
    it(`record the policy of ${table}`, () => {
      const found = inputs.get(table) ?? {};
      const given = Object.fromEntries(Object.keys(has).map((key) => [key, found[key]]));
      assert.deepEqual(given, has);
    });

  it("change nothing when a program says what was recorded, in the first preview, by up, and in the second", async () => {
    const declared = [...inputs].map(
      ([table, properties]) => `new pgp.PartitionSet("${table}", ${JSON.stringify(withoutDefaults(properties))});`,
    );
    await stack.setProgram(declared.join("\n"), undefined);
    for (const round of ["first", "second"]) {
      const preview = await stack.preview();
      assert.equal(preview.code, 0, preview.output);
      const changed = preview.steps.filter(({ op, urn }) => op !== "same" && urn.includes("PartitionSet"));
      assert.deepEqual(changed, [], round);
      const up = await stack.mustRun(["up", "--yes", "--skip-preview"]);
      assert.doesNotMatch(up.output, /PartitionSet \S+ (?:updated|created|deleted)/);
    }
    await stack.mustRun(["refresh", "--yes", "--skip-preview"]);
    assert.deepEqual(
      (await stack.preview()).steps.filter(({ op }) => op !== "same"),
      [],
    );
  });
});

/** As a program would write it: what the engine adds to inputs begins with two underscores. */
function withoutDefaults(properties: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(properties).filter(([key]) => !key.startsWith("__")));
}
