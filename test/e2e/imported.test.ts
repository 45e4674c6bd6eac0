/** `pulumi import` of sets that others have made: what it records is the policy, and a program that says it changes nothing. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import yaml from "js-yaml";
import type { Client } from "pg";
import { inspect } from "../integration/inspect/support";
import { describeOnOldestAndNewest, type TestDatabase } from "../support/postgres";
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

describeOnOldestAndNewest("imported sets", (server) => {
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

describeOnOldestAndNewest("sets as inspect prints them", (server) => {
  it("change nothing when its YAML is a program, with the table and without", async () => {
    const database = await server().createDatabase();
    const client = await database.client();
    for (const { sql } of Object.values(TABLES)) await client.query(sql);
    const programs: string[] = [];
    for (const [table, ...flags] of [["audit"], ["tenants"], ["buckets", "--no-table"]] as [string, ...string[]][]) {
      const { status, out } = await inspect(database.connection, table, "--format", "yaml", ...flags);
      assert.equal(status, 0);
      const { resources } = yaml.load(out.replaceAll("$${", "${")) as { resources: Record<string, Printed> };
      // A set comes after its table, which the YAML says by dependsOn.
      programs.push(
        ...Object.values(resources).map(
          ({ type, name, properties }) =>
            `new pgp.${type.split(":").at(-1)}("${name}", ${JSON.stringify(properties)}, { provider, dependsOn: [...made] });`,
        ),
      );
    }
    const stack = await TestStack.create({
      database: database.connection,
      program: `const made = [];\n${programs.map((one) => `made.push(${one.replace(/;$/, "")});`).join("\n")}`,
    });
    try {
      const before = await fingerprint(client);
      await stack.mustRun(["up", "--yes", "--skip-preview"]);
      assert.equal(await fingerprint(client), before);
      const second = await stack.preview();
      assert.equal(second.code, 0, second.output);
      assert.deepEqual(
        second.steps.filter(({ op }) => op !== "same"),
        [],
      );
      const { resources } = await stack.exportState();
      const declared = resources.filter(({ type }) => /:(?:Table|PartitionSet)$/.test(type));
      assert.equal(declared.length, programs.length);
    } finally {
      await stack.remove();
      await database.drop();
    }
  });
});

interface Printed {
  type: string;
  name: string;
  properties: Record<string, unknown>;
}

/** Everything about the relations that a statement could have changed. */
async function fingerprint(client: Client): Promise<unknown> {
  const { rows } = await client.query(
    `SELECT md5(string_agg(concat(c.oid, c.xmin, c.relname, c.relnamespace, c.relfilenode, c.relpartbound, i.inhparent), ',' ORDER BY c.oid))
     FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid WHERE c.relname ~ '^(audit|tenants|buckets)'`,
  );
  return rows[0]?.md5;
}

/** As a program would write it: what the engine adds to inputs begins with two underscores. */
function withoutDefaults(properties: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(properties).filter(([key]) => !key.startsWith("__")));
}
