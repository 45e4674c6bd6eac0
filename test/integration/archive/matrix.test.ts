/** Rows of every type go the whole way: live, archived, their table dropped, and back by a pin. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import type { RowFormat } from "../../../topology/archive";
import { describeOnEachPostgres, type Major, type TestDatabase } from "../../support/postgres";
import { describeOnS3 } from "../../support/s3";
import { openForEachTest } from "../postgres/opened";
import { ArchivedLife } from "./life";
import { matrixOf, TYPES_SQL } from "./values";

/** PostgreSQL 18 reads CSV otherwise than all before it. */
const formatsOn = (major: Major): RowFormat[] => (major === 14 || major === 18 ? ["text", "csv"] : ["text"]);

describeOnEachPostgres("the archive of a table with rows of every type", (server, major) => {
  let database: TestDatabase;
  let client: Client;
  let url: string;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });

  const lifeOf = (format: RowFormat) => new ArchivedLife(database.connection, client, { store: url, format });

  /**
   * January was made by hand: its columns are in another order than its parent's, and some were dropped. Every value is
   * there in a row of its own.
   */
  async function allTypes(): Promise<void> {
    for (const sql of TYPES_SQL) await client.query(sql);
    const { columns, rows } = matrixOf(server().major);
    const identity = server().major < 17 ? "" : " GENERATED ALWAYS AS IDENTITY";
    const generated = [
      "doubled numeric GENERATED ALWAYS AS (id * 2.50) STORED",
      ...(server().major < 18 ? [] : ["halved numeric GENERATED ALWAYS AS (id / 2.0) VIRTUAL"]),
    ];
    const all = [...generated, ...columns];
    await client.query(`CREATE TABLE events (id bigint NOT NULL${identity}, at timestamptz NOT NULL, gone text, ${all.join(", ")})
        PARTITION BY RANGE (at);
      ALTER TABLE events DROP COLUMN gone;
      CREATE TABLE events_2026_01 (dropped text, ${all.toReversed().join(", ")}, "dropped too" xml NOT NULL DEFAULT '<a/>',
        at timestamptz NOT NULL, id bigint NOT NULL);
      ALTER TABLE events_2026_01 DROP COLUMN dropped, DROP COLUMN "dropped too";
      ALTER TABLE events ATTACH PARTITION events_2026_01 FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00')`);
    for (const [at, { column, value }] of rows.entries())
      await client.query(
        `INSERT INTO events (id, at, ${column}) OVERRIDING SYSTEM VALUE VALUES (${at}, '2026-01-15', ${value})`,
      );
  }

  function hold(): void {
    for (const format of formatsOn(major))
      it(`gives back each of them from ${format}`, async () => {
        await allTypes();
        const life = lifeOf(format);
        await life.begin();
        await life.roundTrip();
        // Once more, from a table that a restore has made: with the parent's columns in the parent's order.
        await life.roundTrip();
      });
  }

  describe("in a directory", () => {
    beforeEach(async () => {
      url = `file://${await mkdtemp(join(tmpdir(), "archive-test-"))}`;
    });
    afterEach(() => rm(new URL(url), { recursive: true }));

    hold();

    it("gives back rows of nothing but the key, and an empty table", async () => {
      await client.query("CREATE TABLE events (at timestamptz NOT NULL) PARTITION BY RANGE (at)");
      const life = lifeOf("text");
      await life.begin();
      await life.roundTrip();
      await client.query(
        "INSERT INTO events SELECT '2026-01-01 00:00+00'::timestamptz + i * interval '1 us' FROM generate_series(0, 99) AS i",
      );
      await life.roundTrip();
    });

    it("gives back columns with hostile names", async () => {
      const names = [
        `a"b`,
        "c'd",
        "e\\f",
        "g\nh",
        "i\tj",
        "COPY x FROM STDIN; --",
        "$1",
        "%I",
        "日本 🐘",
        " ",
        "\\.",
        "\\N",
      ];
      const quoted = names.map((name) => `"${name.replaceAll('"', '""')}"`);
      await client.query(`CREATE TABLE events (id bigint, at timestamptz NOT NULL, ${quoted.map((name) => `${name} text`).join(", ")})
        PARTITION BY RANGE (at)`);
      for (const format of ["text", "csv"] as const) {
        const life = lifeOf(format);
        await life.begin();
        for (const [at, name] of quoted.entries())
          await client.query(`INSERT INTO events (id, at, ${name}) VALUES ($1, '2026-01-15', $2)`, [at, names[at]]);
        await life.roundTrip();
        await client.query("TRUNCATE events");
      }
    });
  });

  if (major === 18)
    describeOnS3("in a bucket", (s3) => {
      beforeEach(async () => {
        const { endpoint, region } = s3();
        url = `s3://${await s3().createBucket({ versioned: true })}/matrix?endpoint=${endpoint}&region=${region}`;
      });
      hold();
    });
});
