/** A Partition, whose parent and neighbours belong to another stack, goes through the tiers of an archive. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import { partitionHandler } from "../../../provider/partition/handler";
import type { Properties } from "../../../provider/values";
import { describeOnOldestAndNewest, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { OneResource } from "./one-resource";

describeOnOldestAndNewest("the archive of a Partition", (server) => {
  let database: TestDatabase;
  let client: Client;
  let directory: string;
  let acme: OneResource;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    acme = new OneResource(database.connection, partitionHandler);
    await client.query(`CREATE TABLE orders (id bigint, tenant text NOT NULL) PARTITION BY LIST (tenant);
      CREATE TABLE orders_eu PARTITION OF orders FOR VALUES IN ('de', 'fr')`);
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const program = (more: Properties = {}): Properties => ({
    table: "orders",
    name: "orders_acme",
    bound: { values: ["acme"] },
    archive: { store: `file://${directory}` },
    ...more,
  });
  const rows = async () =>
    (await client.query("SELECT tenant, count(*)::int AS n FROM orders GROUP BY 1 ORDER BY 1")).rows.map(
      ({ tenant, n }) => `${tenant} ${n}`,
    );
  const exists = async () =>
    (await client.query("SELECT to_regclass('orders_acme') IS NOT NULL AS there")).rows[0].there;
  const files = async () => (await readdir(directory, { recursive: true })).sort();

  async function filled(): Promise<void> {
    await acme.up(program());
    await client.query(
      "INSERT INTO orders SELECT i, CASE WHEN i % 2 = 0 THEN 'acme' ELSE 'de' END FROM generate_series(1, 100) AS i",
    );
  }

  it("is exported, archived and restored, and its neighbours are left alone", async () => {
    await filled();
    await acme.preview(program({ tier: "exported" }));
    assert.match(acme.text, /export orders_acme/);
    await acme.up(program({ tier: "exported" }));
    assert.equal(acme.outputs.tier, "exported");
    assert.deepEqual(acme.diff(program({ tier: "exported" })), []);
    await acme.up(program({ tier: "archived" }));
    assert.equal(acme.outputs.tier, "archived");
    assert.equal((acme.outputs.archives as { orders_acme: { rows: number } }).orders_acme.rows, 50);
    assert.deepEqual(await rows(), ["de 50"]);
    assert.equal(await exists(), false);
    const stored = await files();
    const outputs = acme.outputs;
    await acme.refresh();
    assert.deepEqual(acme.outputs, outputs);
    assert.deepEqual(acme.diff(program({ tier: "archived" })), []);
    await acme.preview(program());
    assert.match(acme.text, /1 to restore \(≈50 rows, /);
    await acme.up(program());
    assert.deepEqual(await rows(), ["acme 50", "de 50"]);
    await acme.up(program({ tier: "archived" }));
    const ofRows = (keys: string[]) => keys.filter((key) => key.endsWith(".zst"));
    assert.deepEqual(ofRows(await files()), ofRows(stored), "no row is written again");
  });

  it("is refused without an archive, and with one that cannot be", async () => {
    await assert.rejects(acme.up(program({ tier: "archived", archive: undefined })), /"tier".*needs an archive/);
    await assert.rejects(acme.up(program({ archive: { store: "ftp://x" } })), /"archive\.store".*begins with ftp/);
  });

  it("shows what has gone from the store, and makes nothing empty in its place", async () => {
    await filled();
    await acme.up(program({ tier: "archived" }));
    await rm(directory, { recursive: true });
    await acme.refresh();
    assert.equal(acme.outputs.tier, "missing");
    assert.deepEqual(acme.diff(program({ tier: "archived" })), ["tier"]);
    await assert.rejects(acme.up(program()), /not made empty in its place/);
    assert.equal(await exists(), false);
  });

  it("plans from the state while the store does not answer; up stops", async () => {
    await filled();
    await acme.up(program({ tier: "archived" }));
    const elsewhere = { store: "s3://archive/x?region=eu-central-1&endpoint=http://127.0.0.1:1&profile=nobody" };
    await acme.preview(program({ archive: elsewhere }));
    assert.match(acme.text, /warning: Planned without the archive/);
    assert.match(acme.text, /1 to restore \(≈50 rows, /);
    await assert.rejects(acme.up(program({ archive: elsewhere })), /s3:\/\/archive\/x/);
  });

  it("is forgotten when it is dropped, and when it is destroyed; its objects stay", async () => {
    await filled();
    await acme.up(program({ tier: "archived" }));
    const stored = await files();
    await acme.destroy();
    assert.match(acme.text, /public\.orders: the rows of orders_acme \(50 rows, .*\) stay in file:/);
    await acme.preview(program({ tier: "dropped" }));
    assert.match(acme.text, /orders_acme \(50 rows, .*archived, and not declared to be so any more/);
    await acme.up(program({ tier: "dropped" }));
    assert.deepEqual(await files(), stored);
    assert.equal(acme.outputs.archives, undefined);
    assert.deepEqual(await rows(), ["de 50"]);
  });
});
