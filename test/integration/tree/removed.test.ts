/** Groups of a LIST that the program leaves out: detached, dropped or kept as declared, on every level, never a row too many. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { expand } from "../../../topology/policy";
import { describeOnEachPostgres } from "../../support/postgres";
import { sessionsOn } from "../postgres/support";
import { SetUnderTest, treeOf } from "./support";

const regions = (values: Record<string, string[]>, more = {}) => ({
  schema: "app",
  table: "orders",
  partitionBy: { list: { column: "region", type: "text", values } },
  ...more,
});

const tenants = (values: Record<string, string[]>, removed: string) => ({
  schema: "app",
  table: "orders",
  partitionBy: { range: { column: "id", type: "integer" } },
  partitions: { low: { from: 0, to: 100 }, high: { from: 100, to: 200 } },
  subPartitionBy: { partitionBy: { list: { column: "region", type: "text", values } }, removed },
});

const ALL = { eu: ["de", "fr"], us: ["us"] };

describeOnEachPostgres("groups of a LIST that are left out", (server) => {
  async function withTable(key: string, work: (client: Client, stack: SetUnderTest) => Promise<void>): Promise<void> {
    const database = await server().createDatabase();
    const sessions = sessionsOn(database.connection);
    try {
      const client = await database.client();
      await client.query(
        `CREATE SCHEMA app; CREATE TABLE app.orders (id int NOT NULL, region text NOT NULL) PARTITION BY ${key}`,
      );
      await work(client, new SetUnderTest(sessions));
    } finally {
      await sessions.close();
      await database.drop();
    }
  }

  const regionsOf = async (client: Client, table: string): Promise<string[]> =>
    (await client.query<{ region: string }>(`SELECT region FROM ${table} ORDER BY region`)).rows.map(
      (row) => row.region,
    );

  async function filled(client: Client): Promise<void> {
    await client.query(
      "INSERT INTO app.orders SELECT n, r FROM generate_series(1, 1) n, unnest('{de,fr,us}'::text[]) r",
    );
  }

  it("stay, and are reported with the ways out", () =>
    withTable("LIST (region)", async (client, stack) => {
      await stack.settle(regions(ALL));
      await filled(client);
      const { done, findings } = await stack.up(regions({ us: ["us"] }));
      assert.deepEqual(done, []);
      assert.match(findings.join(), /orders_eu .*is not declared\. Its rows stay\..*removed: "detached"/);
      assert.deepEqual(await regionsOf(client, "app.orders"), ["de", "fr", "us"]);
    }));

  it("are detached with their rows, and come back when they are declared again", () =>
    withTable("LIST (region)", async (client, stack) => {
      await stack.settle(regions(ALL));
      await filled(client);
      const without = regions({ us: ["us"] }, { removed: "detached" });
      assert.ok(stack.diff(without).includes("update partitions.orders_eu.tier"));
      const { steps } = await stack.preview(without);
      assert.deepEqual(
        steps.map(({ id, reason }) => [id, reason]),
        [["detach:orders_eu", "no longer declared (removed: detached)"]],
      );
      await stack.settle(without);
      assert.deepEqual(await regionsOf(client, "app.orders"), ["us"]);
      assert.deepEqual(await regionsOf(client, "app.orders_eu"), ["de", "fr"]);
      assert.deepEqual(await stack.settle(regions(ALL, { removed: "detached" })), ["attach:orders_eu"]);
      assert.deepEqual(await regionsOf(client, "app.orders"), ["de", "fr", "us"]);
    }));

  it("are dropped, but no value of theirs that another group takes, nor what somebody else has attached", () =>
    withTable("LIST (region)", async (client, stack) => {
      await stack.settle(regions({ ...ALL, asia: ["jp"] }));
      await filled(client);
      await client.query("CREATE TABLE app.foreign_owner PARTITION OF app.orders FOR VALUES IN ('br')");
      await client.query("INSERT INTO app.orders VALUES (1, 'br'), (1, 'jp')");
      // A refresh records it; that is no proof that it was ever declared.
      await stack.up(regions({ ...ALL, asia: ["jp"] }));
      // The rest of orders_eu is split off, and dropped when its OID is known.
      const { done, failed } = await stack.up(regions({ us: ["us", "fr"] }, { removed: "dropped" }));
      assert.deepEqual(failed, []);
      for (const id of ["drop:orders_asia", "detach:orders_eu", "drop:orders_eu"])
        assert.ok(done.includes(id), done.join());
      assert.deepEqual(await treeOf(client, "app.orders"), [
        "orders > foreign_owner FOR VALUES IN ('br')",
        "orders > orders_us FOR VALUES IN ('fr', 'us')",
      ]);
      assert.deepEqual(await regionsOf(client, "app.orders"), ["br", "fr", "us"]);
      const { rows } = await client.query(
        "SELECT to_regclass('app.orders_eu') AS eu, to_regclass('app.orders_asia') AS asia",
      );
      assert.deepEqual(rows, [{ eu: null, asia: null }]);
      assert.deepEqual((await stack.preview(regions({ us: ["us", "fr"] }, { removed: "dropped" }))).steps, []);
    }));

  it("leave every table of the level below", () =>
    withTable("RANGE (id)", async (client, stack) => {
      await stack.settle(tenants(ALL, "dropped"));
      await filled(client);
      assert.deepEqual(await stack.settle(tenants({ us: ["us"] }, "dropped")), [
        "detach:low_eu",
        "drop:low_eu",
        "detach:high_eu",
        "drop:high_eu",
      ]);
      assert.deepEqual(await regionsOf(client, "app.orders"), ["us"]);
    }));

  it("of an entry that is divided by itself leave as it says, and only those of that entry", () =>
    withTable("RANGE (id)", async (client, stack) => {
      const own = (groups: Record<string, string[]>) => ({
        partitionBy: { list: { column: "region", type: "text" } },
        partitions: Object.fromEntries(Object.entries(groups).map(([name, values]) => [name, { values }])),
      });
      const raw = (low: Record<string, string[]>, high: Record<string, string[]>) => ({
        schema: "app",
        table: "orders",
        partitionBy: { range: { column: "id", type: "integer" } },
        partitions: {
          low: { from: 0, to: 100, ...own(low), removed: "detached" },
          high: { from: 100, to: 200, ...own(high) },
        },
      });
      await stack.settle(raw({ low_eu: ["de"], low_us: ["us"] }, { high_eu: ["de"], high_us: ["us"] }));
      await client.query("INSERT INTO app.orders VALUES (1, 'de'), (2, 'us'), (101, 'de'), (102, 'us')");
      const { done, findings } = await stack.up(raw({ low_us: ["us"] }, { high_us: ["us"] }));
      assert.deepEqual(done, ["detach:low_eu"]);
      assert.match(findings.join(), /high_eu .*is not declared/);
      assert.doesNotMatch(findings.join(), /low_eu/);
      assert.deepEqual(await regionsOf(client, "app.low_eu"), ["de"]);
      assert.deepEqual(await regionsOf(client, "app.orders"), ["de", "us", "us"]);
      const { failures } = expand({
        ...raw({ low_us: ["us"] }, {}),
        partitions: { low: { from: 0, to: 100, removed: "dropped" } },
      });
      assert.match(
        failures.map(({ property, reason }) => `${property}: ${reason}`).join(),
        /^partitions\.low\.removed: needs partitionBy/,
      );
    }));
});
