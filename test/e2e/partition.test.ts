/** A platform stack owns a table and some of its partitions, a tenant's stack owns one more: neither disturbs the other. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { describeOnNewest, type TestDatabase } from "../support/postgres";
import { TestStack } from "../support/stack";

const platform = (values: object, more = "") => `
  new pgp.PartitionedTable("orders", {
    columns: [{ name: "id", type: "bigint", nullable: false }, { name: "tenant", type: "text", nullable: false }],
    partitionBy: { list: { column: "tenant", values: ${JSON.stringify(values)} } },
    unmanaged: "ignore",
    onDelete: "drop",
  }, { provider });${more}`;

const tenant = (args: object) =>
  `new pgp.Partition("acme", ${JSON.stringify({ table: "orders", name: "orders_acme", ...args })}, { provider });`;

describeOnNewest("Partition of another stack", (server) => {
  let database: TestDatabase;
  let client: Client;
  let owner: TestStack;
  let other: TestStack;

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    const connection = database.connection;
    owner = await TestStack.create({ database: connection, program: platform({ eu: ["de", "fr"] }) });
    other = await TestStack.create({ database: connection, program: tenant({ bound: { values: ["acme"] } }) });
  });
  after(async () => {
    await owner?.remove();
    await other?.remove();
    await database?.drop();
  });

  async function partitions(): Promise<string[]> {
    const { rows } = await client.query<{ line: string }>(
      `SELECT c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid) AS line FROM pg_class c
         WHERE c.relispartition AND c.relkind = 'r' ORDER BY 1`,
    );
    return rows.map(({ line }) => line);
  }

  async function noChanges(...stacks: TestStack[]): Promise<void> {
    for (const stack of stacks) {
      const { code, output } = await stack.run(["preview", "--expect-no-changes", "--refresh"]);
      assert.equal(code, 0, output);
    }
  }

  it("without the parent nothing is made, and the reason is said", async () => {
    const { code, output } = await other.up();
    assert.notEqual(code, 0);
    assert.match(output, /public\.orders is no partitioned table.*belongs to another stack/);
  });

  it("is previewed and made like a partition of a set", async () => {
    await owner.mustUp();
    const { output } = await other.previewText();
    assert.match(output, /create orders_acme {2}IN \(acme\)/);
    assert.match(output, /SHARE UPDATE EXCLUSIVE on "public"\."orders", short/);
    await other.mustUp();
    await client.query("INSERT INTO orders VALUES (1, 'acme'), (2, 'de')");
    assert.deepEqual(await partitions(), [
      "orders_acme FOR VALUES IN ('acme')",
      "orders_eu FOR VALUES IN ('de', 'fr')",
    ]);
    await noChanges(owner, other);
  });

  it("both refresh and change their own only", async () => {
    assert.equal((await owner.refresh()).code, 0);
    assert.equal((await other.refresh()).code, 0);
    await owner.setProgram(platform({ eu: ["de", "fr"], us: ["us"] }));
    const { output } = await owner.previewText();
    assert.doesNotMatch(output, /acme/);
    await owner.mustUp();
    await noChanges(owner, other);
  });

  it("values that another partition holds are refused, which is named", async () => {
    await other.setProgram(
      tenant({ bound: { values: ["acme"] } }) +
        tenant({ name: "orders_x", bound: { values: ["de"] } }).replace('"acme"', '"x"'),
    );
    const { output } = await other.previewText();
    assert.match(output, /public\.orders_eu \(IN \(de, fr\)\)/);
    assert.notEqual((await other.up()).code, 0);
    await owner.setProgram(platform({ eu: ["de", "fr"], us: ["us"], mine: ["acme"] }));
    const taken = await owner.up();
    assert.notEqual(taken.code, 0);
    assert.match(taken.output, /orders_acme/);
    assert.equal((await partitions()).length, 3);
    await owner.setProgram(platform({ eu: ["de", "fr"], us: ["us"] }));
    await other.setProgram(tenant({ bound: { values: ["acme"] } }));
    await owner.mustUp();
    await other.mustUp();
    await noChanges(owner, other);
  });

  it("both run at once, one after the other on the table", async () => {
    await owner.setProgram(platform({ eu: ["de", "fr"], us: ["us"], asia: ["jp"] }));
    await other.setProgram(
      tenant({ bound: { values: ["acme"] } }) +
        tenant({ name: "orders_b", bound: { values: ["b", null] } }).replace('"acme"', '"b"'),
    );
    const [first, second] = await Promise.all([owner.up(), other.up()]);
    assert.equal(first.code, 0, first.output);
    assert.equal(second.code, 0, second.output);
    assert.equal((await partitions()).length, 5);
    await noChanges(owner, other);
  });

  it("detached by hand it is drift, and comes back with its rows", async () => {
    await client.query("ALTER TABLE orders DETACH PARTITION orders_acme");
    assert.equal((await other.refresh()).code, 0);
    const { output } = await other.previewText();
    assert.match(output, /tier: "detached" => "live"/);
    await other.mustUp();
    const { rows } = await client.query("SELECT id::int FROM orders WHERE tenant = 'acme'");
    assert.deepEqual(rows, [{ id: 1 }]);
    await noChanges(owner, other);
  });

  it("is detached and attached again by its tier", async () => {
    const b = tenant({ name: "orders_b", bound: { values: ["b", null] } }).replace('"acme"', '"b"');
    await other.setProgram(tenant({ bound: { values: ["acme"] }, tier: "detached" }) + b);
    await other.mustUp();
    assert.ok(!(await partitions()).join().includes("orders_acme"));
    await noChanges(owner, other);
    await other.setProgram(tenant({ bound: { values: ["acme"] } }) + b);
    await other.mustUp();
    assert.ok((await partitions()).join().includes("orders_acme"));
    await noChanges(owner, other);
  });

  it("is imported by its name", async () => {
    const { resources } = await other.exportState();
    const urn = resources.find(({ urn }) => urn.endsWith("::acme"))?.urn ?? "";
    await other.mustRun(["state", "delete", "--yes", urn]);
    const b = tenant({ name: "orders_b", bound: { values: ["b", null] } }).replace('"acme"', '"b"');
    const id = `${database.connection.database}/public.orders_acme`;
    const program = tenant({ bound: { values: ["acme"] } });
    await other.setProgram(program.replace("{ provider }", `{ provider, import: "${id}" }`) + b);
    await other.mustUp();
    await other.setProgram(program + b);
    await noChanges(other);
  });

  it("is made in a schema of its own, found when it is moved, brought back, and imported from there", async () => {
    await client.query("CREATE SCHEMA tenants");
    const acme = tenant({ bound: { values: ["acme"] } });
    const inTenants = { name: "orders_t", partitionSchema: "tenants", bound: { values: ["t"] } };
    const program = acme + tenant(inTenants).replace('"acme"', '"t"');
    await other.setProgram(program);
    assert.match((await other.previewText()).output, /CREATE TABLE "tenants"\."orders_t"/);
    await other.mustUp();
    await client.query("INSERT INTO orders VALUES (3, 't')");
    await noChanges(other, owner);
    await client.query("ALTER TABLE tenants.orders_t SET SCHEMA public");
    assert.equal((await other.refresh()).code, 0);
    assert.match((await other.previewText()).output, /ALTER TABLE "public"\."orders_t" SET SCHEMA "tenants"/);
    await other.mustUp();
    const { rows } = await client.query("SELECT tableoid::regclass::text AS place FROM orders WHERE tenant = 't'");
    assert.deepEqual(rows, [{ place: "tenants.orders_t" }]);
    await noChanges(other);
    const urn = (await other.exportState()).resources.find((one) => one.urn.endsWith("::t"))?.urn ?? "";
    await other.mustRun(["state", "delete", "--yes", urn]);
    const id = `${database.connection.database}/tenants.orders_t`;
    const imported = tenant(inTenants)
      .replace('"acme"', '"t"')
      .replace("{ provider }", `{ provider, import: "${id}" }`);
    await other.setProgram(acme + imported);
    await other.mustUp();
    await other.setProgram(program);
    await noChanges(other);
    await client.query("DELETE FROM orders WHERE tenant = 't'");
    await other.setProgram(acme);
    await other.mustUp();
    assert.ok(!(await partitions()).join().includes("orders_t"));
    await noChanges(other, owner);
  });

  it("stands beside views of the same type in one stack", async () => {
    const own = `new pgp.Partition("c", { table: "orders", name: "orders_c", bound: { values: ["c"] } }, { provider });`;
    await owner.setProgram(platform({ eu: ["de", "fr"], us: ["us"], asia: ["jp"] }, own));
    await owner.mustUp();
    await noChanges(owner);
    assert.equal((await owner.refresh()).code, 0);
    await owner.setProgram(platform({ eu: ["de", "fr"], us: ["us"], asia: ["jp"] }));
    await owner.mustUp();
    assert.ok(!(await partitions()).join().includes("orders_c"));
    await noChanges(owner, other);
  });

  it("destroyed, it refuses while it has rows, and takes nobody else's partition along", async () => {
    const refused = await other.destroy();
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /orders_acme.*hold rows|hold rows \("public"\."orders_acme"\)/);
    await client.query("DELETE FROM orders WHERE tenant = 'acme'");
    assert.equal((await other.destroy()).code, 0);
    assert.deepEqual(
      (await partitions()).map((line) => line.split(" ")[0]),
      ["orders_asia", "orders_eu", "orders_us"],
    );
    await noChanges(owner);
  });

  it("destroyed, the platform's set takes its own partitions and no others", async () => {
    await other.setProgram(tenant({ bound: { values: ["acme"] } }));
    await other.mustUp();
    await owner.refresh();
    const { resources } = await owner.exportState();
    const set = resources.find(({ type }) => type === "pgpartition:index:PartitionSet")?.urn ?? "";
    const { code, output } = await owner.run(["destroy", "--yes", "--skip-preview", "--target", set]);
    assert.equal(code, 0, output);
    assert.deepEqual(await partitions(), ["orders_acme FOR VALUES IN ('acme')"]);
    await noChanges(other);
  });
});
