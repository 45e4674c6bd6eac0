/** The whole life of a partition: live, exported, archived, and back by a pin. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import { openStore } from "../../../archive/open";
import type { Properties } from "../../../provider/values";
import { ARCHIVE_DEFAULTS } from "../../../topology/archive";
import { contentOf, Months } from "../../support/months";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { describeOnS3 } from "../../support/s3";
import { openForEachTest } from "../postgres/opened";
import { changeRows } from "./support";

describeOnEachPostgres("the tiers of a partition", (server) => {
  let database: TestDatabase;
  let client: Client;
  let url: string;
  let months: Months;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
    months = new Months(database.connection, "", {
      type: "timestamptz",
      asOf: "2026-04",
      table: { primaryKey: ["id", "at"] },
    });
  });
  async function up(more: Properties = {}): Promise<void> {
    months.store = url;
    await months.up(more);
  }

  const tiers = () => months.tiers;
  const count = async (table: string) => (await client.query(`SELECT count(*)::int AS n FROM ${table}`)).rows[0].n;
  const exists = async (table: string) =>
    (await client.query("SELECT to_regclass($1) IS NOT NULL AS there", [table])).rows[0].there;
  const content = () => contentOf(client);
  const objects = async () => {
    const store = openStore({ store: url, ...ARCHIVE_DEFAULTS }, new Date());
    const keys: string[] = [];
    for await (const { key } of store.list("")) if (/\.zst(\.encrypted)?$/.test(key)) keys.push(key);
    store.close();
    return keys.sort();
  };
  /** Statements that change something, as the server saw them. */
  const changes = async () =>
    (await database.statements()).filter((sql) =>
      /^(ALTER|CREATE TABLE (?!pg_temp)|DROP|COMMENT|COPY|LOCK|INSERT|UPDATE|DELETE)/.test(sql),
    );

  const ROWS = `INSERT INTO events SELECT i, '2026-01-01'::timestamptz + i * interval '1 hour', 'row ' || i
    FROM generate_series(0, 2500) AS i`;
  const AGED = {
    lifecycle: [
      { after: "1 month", tier: "exported" },
      { after: "2 months", tier: "archived" },
    ],
  };

  function hold(): void {
    it("goes from live over exported to archived, and back by a pin without a row lost", async () => {
      await up();
      await changeRows(database, ROWS);
      const before = await content();
      await up(AGED);
      assert.deepEqual(tiers(), {
        events_2026_01: "archived",
        events_2026_02: "exported",
        events_2026_03: "live",
        events_2026_04: "live",
      });
      assert.equal(await exists("events_2026_01"), false);
      assert.equal(await count("events"), 2501 - 744);
      const written = await objects();
      await up({ ...AGED, pins: [{ from: "2026-01", to: "2026-02", until: "2026-06" }] });
      assert.equal(tiers().events_2026_01, "live");
      assert.deepEqual(await content(), before);
      await up(AGED);
      assert.equal(tiers().events_2026_01, "archived");
      assert.equal(await exists("events_2026_01"), false);
      assert.deepEqual(await objects(), written, "nothing is written again");
    });

    it("restores from the format in which it was archived, whatever is declared by then", async () => {
      await up();
      await client.query(ROWS);
      await client.query(
        `UPDATE events SET payload = nullif(repeat('"', id::int % 3) || E',\\n', ',\n') WHERE id < 700`,
      );
      const before = await content();
      await up({ ...AGED, archive: { store: url, format: "csv" } });
      const written = await objects();
      assert.ok(written.length > 0 && written.every((key) => key.endsWith(".csv.zst")), String(written));
      await up({ ...AGED, pins: [{ from: "2026-01", to: "2026-02" }] });
      assert.deepEqual(await content(), before);
      await up(AGED);
      const again = (await objects()).filter((key) => /\/events_2026_01\/.*\.copy\.zst$/.test(key));
      assert.equal(again.length, 1, "what is exported now is written as it is declared now");
    });

    it("encrypts what it archives, reads it with a former key, and lets no row go without the key", async () => {
      const keys = await mkdtemp(join(tmpdir(), "archive-keys-"));
      const newKey = async (name: string) => {
        const keyFile = join(keys, name);
        await writeFile(keyFile, randomBytes(32).toString("hex"));
        return { keyFile };
      };
      const [first, second] = [await newKey("first"), await newKey("second")];
      const under = (encryption: object, more: Properties = {}) =>
        up({ ...AGED, archive: { store: url, encryption }, ...more });
      try {
        await up();
        await client.query(ROWS);
        const before = await content();
        await under(first);
        const written = await objects();
        assert.ok(written.length > 0 && written.every((key) => key.endsWith(".copy.zst.encrypted")), String(written));
        const recorded = JSON.stringify(months.state);
        assert.ok(!recorded.includes(await readFile(first.keyFile, "utf8")), "the state holds the key");
        const pins = [{ from: "2026-01", to: "2026-02" }];
        await assert.rejects(
          under(second, { pins }),
          /is encrypted with the key file of fingerprint [0-9a-f]{32}.*former/,
        );
        await under({ ...second, former: [first] }, { pins });
        assert.deepEqual(await content(), before);
        await rm(second.keyFile);
        await assert.rejects(under(second), /archive\.encryption cannot be read: ENOENT/);
        assert.deepEqual(await content(), before);
        await newKey("second");
        await under(second);
        assert.equal(await exists("events_2026_01"), false);
        const january = (await objects()).filter((key) => key.includes("/events_2026_01/"));
        assert.equal(january.length, 2, "with another key everything is written again");
      } finally {
        await rm(keys, { recursive: true });
      }
    });

    it("changes nothing in a second update", async () => {
      await up();
      await changeRows(database, ROWS);
      await up(AGED);
      await database.logStatements();
      await up(AGED);
      assert.deepEqual(await changes(), []);
    });

    it("notices rows that have changed since their export, and exports them again", async () => {
      await up();
      await changeRows(database, ROWS);
      await up(AGED);
      const written = await objects();
      await changeRows(database, "UPDATE events SET payload = 'late' WHERE id = 1000");
      await up(AGED);
      assert.equal(tiers().events_2026_02, "exported");
      assert.equal((await objects()).length, written.length + 1);
    });

    it("keeps a table whose rows have changed after the export in the moment before it goes", async () => {
      await up();
      await changeRows(database, ROWS);
      const [first] = AGED.lifecycle;
      await up({ lifecycle: [{ ...first, after: "0 months" }] });
      await client.query("INSERT INTO events VALUES (-1, '2026-01-15', 'late')");
      await up(AGED);
      assert.equal(tiers().events_2026_01, "archived");
      await up({ ...AGED, pins: [{ from: "2026-01", to: "2026-02" }] });
      const { rows } = await client.query("SELECT payload FROM events WHERE id = -1");
      assert.deepEqual(rows, [{ payload: "late" }]);
    });

    it("does not take what a restore of another table has made for its own", async () => {
      await up();
      await client.query(ROWS);
      const before = await content();
      await up(AGED);
      const bound = { from: "2026-01-01 00:00:00+00", to: "2026-02-01 00:00:00+00" };
      const mark = { root: 1, bound, manifest: { key: "another" }, parts: 1, whole: true };
      await client.query(`CREATE TABLE events_2026_01_of_another (LIKE events);
        COMMENT ON TABLE events_2026_01_of_another IS 'pgpartition restores ${JSON.stringify(mark)}'`);
      await up({ ...AGED, pins: [{ from: "2026-01", to: "2026-02" }] });
      assert.deepEqual(await content(), before);
      assert.equal(Object.hasOwn(months.state.set?.outputs.oids as object, "events_2026_01_of_another"), false);
    });

    it("leaves tables alone whose names begin alike or end in archive", async () => {
      await client.query(`CREATE SCHEMA other; CREATE TABLE other.events_2026_01 (id int);
      CREATE TABLE events_payments (id int); CREATE TABLE events_p_archive_backup (id int); CREATE TABLE events_2026_01_old (id int)`);
      await up();
      await changeRows(database, ROWS);
      await up(AGED);
      for (const table of ["other.events_2026_01", "events_payments", "events_p_archive_backup", "events_2026_01_old"])
        assert.ok(await exists(table), table);
    });
  }

  describe("with an archive in a directory", () => {
    let directory: string;
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), "archive-test-"));
      url = `file://${directory}`;
    });
    afterEach(() => rm(directory, { recursive: true }));
    hold();
  });

  describeOnS3("with an archive in a bucket", (s3) => {
    beforeEach(async () => {
      const { endpoint, region } = s3();
      const bucket = await s3().createBucket({ versioned: true });
      url = `s3://${bucket}/archives/of%20tests?endpoint=${endpoint}&region=${region}`;
    });
    hold();
  });
});
