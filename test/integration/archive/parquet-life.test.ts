/** Parquet copies in the life of a set: both stores, refusals before anything is done, kills. */
import assert from "node:assert/strict";
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Client } from "pg";
import { openStore } from "../../../archive/open";
import { ARCHIVE_DEFAULTS } from "../../../topology/archive";
import { duckdb } from "../../support/duckdb";
import { ARCHIVED, EXPORTED, Months, PINNED } from "../../support/months";
import { describeOnNewest, type TestDatabase } from "../../support/postgres";
import { describeOnS3 } from "../../support/s3";

const ROWS = "INSERT INTO events SELECT i, '2026-01-01'::date + i % 80, i / 7.0 FROM generate_series(1, 2000) AS i";

describeOnNewest("the Parquet copies of a set", (server) => {
  let database: TestDatabase;
  let client: Client;
  let directory: string;
  let url: string;
  let months: Months;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "parquet-life-"));
    url = `file://${join(directory, "archive")}`;
    database = await server().createDatabase();
    client = await database.client();
    months = new Months(database.connection, url, { columns: [{ name: "ratio", type: "numeric" }] });
    await up();
    await client.query(ROWS);
  });
  afterEach(async () => {
    await database.drop();
    await rm(directory, { recursive: true });
  });

  const up = (more: object = {}, parquet: object = { columns: { ratio: "string" } }) =>
    months.up({ archive: { store: url, parquet }, ...more });

  /** What DuckDB says of all files below the store's folder of Parquet. */
  async function queried(): Promise<unknown> {
    const store = openStore({ store: url, ...ARCHIVE_DEFAULTS }, new Date());
    const copies = join(directory, "copies");
    await rm(copies, { recursive: true, force: true });
    for await (const { key } of store.list("parquet/")) {
      const path = join(copies, key);
      await mkdir(join(path, ".."), { recursive: true });
      await pipeline(await store.read(key), createWriteStream(path));
    }
    store.close();
    return duckdb(
      `SELECT pg_partition, count(*)::integer AS rows, sum(id)::integer AS ids, min(ratio) AS least
       FROM read_parquet('${copies}/**/*.parquet', hive_partitioning = true) GROUP BY 1 ORDER BY 1`,
    );
  }
  const expected = async () =>
    (
      await client.query(
        `SELECT to_char(at, '"events_"YYYY_MM') AS pg_partition, count(*)::integer AS rows, sum(id)::integer AS ids,
           min(ratio::text COLLATE "C") AS least FROM events WHERE at < '2026-02-01' GROUP BY 1 ORDER BY 1`,
      )
    ).rows;

  function hold(): void {
    it("are written with the archive, follow changed rows after a restore, and hold what was archived", async () => {
      const january = await expected();
      await up(ARCHIVED);
      assert.deepEqual(await queried(), january);
      await up(PINNED);
      await client.query("DELETE FROM events WHERE id % 3 = 0");
      const fewer = await expected();
      assert.notDeepEqual(fewer, january);
      await up(ARCHIVED);
      assert.deepEqual(await queried(), fewer);
    });
  }

  describe("in a directory", hold);

  describeOnS3("in a bucket", (s3) => {
    beforeEach(async () => {
      const { endpoint, region } = s3();
      const bucket = await s3().createBucket({ versioned: true });
      url = `s3://${bucket}/archives/of%20tests?endpoint=${endpoint}&region=${region}`;
    });
    hold();
  });

  it("are refused for a column's type before anything is exported or detached", async () => {
    const before = await client.query("SELECT count(*)::integer AS n FROM events");
    await assert.rejects(up(ARCHIVED, {}), (error: Error) => {
      assert.match(`${error.message} ${JSON.stringify(error)}`, /ratio is numeric without a precision/);
      return true;
    });
    assert.deepEqual((await client.query("SELECT count(*)::integer AS n FROM events")).rows, before.rows);
    const { rows } = await client.query("SELECT inhrelid FROM pg_inherits WHERE inhparent = 'events'::regclass");
    assert.equal(rows.length, 3);
  });

  it("leave a partition where it is when a value has no place, and it is archived when that is declared", async () => {
    await client.query("UPDATE events SET ratio = 'NaN' WHERE id = 30");
    const january = await expected();
    const decimal = { columns: { ratio: "decimal(38,20)" } };
    await assert.rejects(up(ARCHIVED, decimal), (error: Error) => {
      assert.match(`${error.message} ${JSON.stringify(error)}`, /column ratio: NaN/);
      return true;
    });
    assert.deepEqual(await expected(), january);
    await up(ARCHIVED);
    assert.deepEqual(await queried(), january);
  });

  it("are whole after a kill -9 at any point of an export, and no row is there twice", async function () {
    this.timeout(0);
    const january = await expected();
    const parquet = { columns: { ratio: "string" } };
    let killed = true;
    for (let hit = 1; killed; hit += 3) {
      killed = await months.killedAt(`archive:${hit}`, { ...EXPORTED, archive: { store: url, parquet } }, client);
      assert.ok(killed || hit > 1, "the point was never reached");
      await up(EXPORTED);
      assert.deepEqual(await queried(), january, `archive:${hit}`);
      await up();
      await rm(join(directory, "archive"), { recursive: true });
    }
  });
});
