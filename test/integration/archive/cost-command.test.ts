/** `pgpartition archive export` and `cost`. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import { describeOnOldestAndNewest, type TestDatabase } from "../../support/postgres";
import { describeOnS3 } from "../../support/s3";
import { archive } from "./commands";
import { changeRows, EVENTS } from "./support";

interface Costs {
  classes: {
    storageClass: string;
    objects: number;
    bytes: number;
    monthly: number | string;
    restore: number | string;
  }[];
  monthly: number | string;
  before: { bytes: number; monthly: number | string };
  now: { tables: { bytes: number; monthly: number | string }; monthly: number | string };
  bytes: number;
  parquet: { objects: number; bytes: number; monthly: number | string };
  others: { objects: number };
}

describeOnOldestAndNewest("the commands that export and count", (server) => {
  let database: TestDatabase;
  let client: Client;
  let directory: string;
  let store: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    store = `file://${join(directory, "store")}`;
    database = await server().createDatabase();
    client = await database.client();
    await changeRows(database, EVENTS);
  });
  afterEach(async () => {
    await database.drop();
    await rm(directory, { recursive: true });
  });

  const exported = (...more: string[]) =>
    archive(["export", "events", "events_2024_01", "--store", store, ...more], database.connection);
  async function costs(prices: object | undefined, compare = false): Promise<Costs> {
    const file = join(directory, "prices.json");
    await writeFile(file, JSON.stringify(prices ?? {}));
    const args = ["cost", "--store", store, "--json", ...(prices === undefined ? [] : ["--prices", file])];
    const { status, out, err } = await archive(args, compare ? database.connection : undefined);
    assert.equal(status, 0, err);
    return JSON.parse(out) as Costs;
  }

  it("exports a partition, and writes nothing when nothing has changed", async () => {
    const first = await exported("--json");
    assert.equal(first.status, 0, first.err);
    const { rows, generation, manifest } = JSON.parse(first.out) as Record<string, unknown>;
    assert.deepEqual([rows, generation], [4464, 1]);
    assert.equal(JSON.parse((await exported("--json")).out).manifest, manifest);
    await client.query("DELETE FROM events WHERE id = 3");
    const { out } = await exported();
    assert.match(out, /^events_2024_01 \(2024-01-01 .*: 4,463 rows, .*, export 2 in /);
    assert.equal((await archive(["verify", "--all", "--store", store], database.connection)).status, 0);
  });

  it("exports sub-partitions, with settings of a file", async () => {
    await client.query(`CREATE TABLE events_2024_03 PARTITION OF events FOR VALUES FROM ('2024-03-01 00:00+00') TO ('2024-04-01 00:00+00')
        PARTITION BY HASH (id);
      CREATE TABLE events_2024_03_p0 PARTITION OF events_2024_03 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
      INSERT INTO events VALUES (1, '2024-03-05', 'x')`);
    const settings = join(directory, "archive.json");
    await writeFile(settings, JSON.stringify({ store, format: "csv", level: 1 }));
    const args = ["export", "events", "events_2024_03_p0", "--settings", settings, "--json"];
    const { status, out, err } = await archive(args, database.connection);
    assert.equal(status, 0, err);
    assert.deepEqual([JSON.parse(out).rows, JSON.parse(out).bound], [1, { modulus: 1, remainder: 0 }]);
    await writeFile(settings, JSON.stringify({ store, formatt: "csv" }));
    const wrong = await archive(args, database.connection);
    assert.equal(wrong.status, 2);
    assert.match(wrong.err, /formatt.*did you mean format/);
  });

  it("exports, verifies and restores what is encrypted, with the settings that say the key", async () => {
    const [settings, keyFile] = [join(directory, "archive.json"), join(directory, "key")];
    await writeFile(keyFile, randomBytes(32).toString("hex"));
    await writeFile(settings, JSON.stringify({ store, encryption: { keyFile } }));
    const given = ["--settings", settings];
    const done = await archive(["export", "events", "events_2024_01", ...given], database.connection);
    assert.equal(done.status, 0, done.err);
    const verified = await archive(["verify", "--all", ...given]);
    assert.equal(verified.status, 0, verified.out);
    const restored = await archive(["restore", "events_2024_01", ...given], database.connection);
    assert.equal(restored.status, 0, restored.err);
    const { rows } = await client.query("TABLE events_2024_01 EXCEPT TABLE events_2024_01_restored");
    assert.deepEqual(rows, []);
    const without = await archive(["verify", "--all", "--store", store]);
    assert.deepEqual([without.status, /key/.test(without.out)], [1, true], without.out);
  });

  it("refuses what is no attached partition", async () => {
    await client.query("ALTER TABLE events DETACH PARTITION events_2024_01");
    const { status, err } = await exported();
    assert.equal(status, 1);
    assert.match(err, /events_2024_01 is no attached partition of "public"."events"/);
    const plain = await archive(["export", "events_2024_01", "x", "--store", store], database.connection);
    assert.equal(plain.status, 1);
  });

  it("tells the cost before and now, and unknown where no price is declared", async () => {
    await exported();
    const prices = {
      databaseGbMonth: 0.1,
      classes: { directory: { gbMonth: 0, retrievalGb: 0, thousandReads: 0, minimumDays: 0 } },
    };
    const there = await costs(prices, true);
    const [{ size } = { size: 0 }] = (
      await client.query<{ size: number }>("SELECT pg_total_relation_size('events_2024_01')::int AS size")
    ).rows;
    assert.equal(there.before.bytes, size);
    assert.ok(Math.abs(Number(there.before.monthly) - (0.1 * size) / 2 ** 30) < 1e-12);
    assert.deepEqual([there.classes[0]?.monthly, there.now.monthly], [0, there.before.monthly]);
    await client.query("DROP TABLE events_2024_01");
    assert.deepEqual((await costs(prices, true)).now, { tables: { bytes: 0, monthly: 0 }, monthly: 0 });
    const unknown = await costs(undefined);
    assert.deepEqual([unknown.monthly, unknown.before.monthly, unknown.now.monthly], ["unknown", "unknown", "unknown"]);
    await writeFile(join(directory, "store", "notes.txt"), "somebody else's");
    const text = await archive(["cost", "--store", store]);
    assert.match(text.out, /^storage class .*\ndirectory .* unknown .* at once\nall .*\nBefore: unknown a month for /);
    assert.match(text.out, /Not counted: 1 other objects/);
    const file = join(directory, "prices.json");
    await writeFile(file, "{");
    assert.equal((await archive(["cost", "--store", store, "--prices", file])).status, 2);
  });

  it("tells Parquet copies and earlier exports, too, of the partitions that it is asked for", async () => {
    const { manifest } = JSON.parse((await exported("--json")).out) as { manifest: string };
    const once = await costs({ classes: { directory: { gbMonth: 2 ** 30 } } });
    assert.equal(once.parquet.objects, 0);
    const folder = join(directory, "store", "parquet", manifest.replace(/\/events_2024_01\/.*/, ""));
    for (const name of ["events_2024_01", "events_2024_02"]) {
      await mkdir(join(folder, `pg_partition=${name}`), { recursive: true });
      await writeFile(join(folder, `pg_partition=${name}`, "0-0.parquet"), "12345");
    }
    await client.query("DELETE FROM events WHERE id = 3");
    await exported();
    const twice = await costs({ classes: { directory: { gbMonth: 2 ** 30 } } });
    assert.deepEqual(twice.parquet, { objects: 1, bytes: 5, monthly: 5 });
    assert.equal(twice.others.objects, 1);
    assert.ok(twice.bytes > once.bytes);
    assert.equal(twice.now.monthly, twice.bytes + 5);
    assert.match(
      (await archive(["cost", "--store", store])).out,
      /Parquet copies: unknown a month for 5 B in 1 objects/,
    );
  });

  describeOnS3("in a bucket", (s3) => {
    it("tells the storage class", async () => {
      const bucket = await s3().createBucket();
      store = `s3://${bucket}/deep?region=${s3().region}&endpoint=${encodeURIComponent(s3().endpoint)}`;
      assert.equal((await exported()).status, 0);
      const { classes } = await costs({ classes: { STANDARD: { gbMonth: 1024 } } });
      assert.equal(classes.length, 1);
      const [one] = classes;
      assert.deepEqual([one?.storageClass, one?.objects, one?.restore], ["STANDARD", 3, "unknown"]);
      assert.ok(Math.abs(Number(one?.monthly) - Number(one?.bytes) / 2 ** 20) < 1e-9);
    });
  });
});
