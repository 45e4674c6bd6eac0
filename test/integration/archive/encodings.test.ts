/** Databases of other encodings than UTF8: every byte comes back. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import { describeOnOldestAndNewest, type TestDatabase } from "../../support/postgres";
import { ArchivedLife } from "./life";

/** Characters as bytes. */
const ENCODINGS: Record<string, string> = {
  LATIN1: "SELECT set_byte('\\x00', 0, i) FROM generate_series(1, 255) AS i",
  // Five of them are no character in UTF8.
  WIN1252: "SELECT set_byte('\\x00', 0, i) FROM generate_series(1, 255) AS i",
  // Some that no other encoding has, and some that others have once only.
  EUC_JP: `SELECT set_byte(set_byte('\\x0000', 0, i), 1, j) FROM generate_series(161, 254) AS i, generate_series(161, 254) AS j
    UNION ALL SELECT set_byte('\\x8e00', 1, i) FROM generate_series(161, 223) AS i
    UNION ALL SELECT set_byte(set_byte('\\x8f0000', 1, i), 2, j) FROM generate_series(161, 254) AS i, generate_series(161, 254) AS j`,
  SQL_ASCII: `SELECT set_byte('\\x00', 0, i) FROM generate_series(1, 255) AS i
    UNION ALL SELECT decode('e38182ff80c0af', 'hex') UNION ALL SELECT decode('f09f', 'hex')`,
};

describeOnOldestAndNewest("an archive of a database", (server) => {
  let database: TestDatabase;
  let client: Client;
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
  });
  afterEach(async () => {
    await database.drop();
    await rm(directory, { recursive: true });
  });

  /** January has a row for each character. */
  async function filled(encoding: string, archive: object): Promise<ArchivedLife> {
    database = await server().createDatabase(undefined, encoding);
    client = await database.client();
    await client.query("CREATE TABLE events (id bigint, at timestamptz NOT NULL, value text) PARTITION BY RANGE (at)");
    const life = new ArchivedLife(database.connection, client, { store: `file://${directory}`, ...archive });
    await life.begin();
    // What has no place in UTF8 could not be told to this client.
    await client.query("SET client_encoding = 'SQL_ASCII'");
    await client.query(`INSERT INTO events SELECT row_number() OVER (), '2026-01-15', convert_from(bytes, '${encoding}') || '|'
      FROM (${ENCODINGS[encoding]}) AS b(bytes)`);
    return life;
  }

  for (const encoding of Object.keys(ENCODINGS))
    it(`in ${encoding} gives back every byte`, async () => {
      await (await filled(encoding, { format: "text" })).roundTrip();
    });

  for (const encoding of ["EUC_JP", "SQL_ASCII"])
    it(`in ${encoding} gives back every byte from CSV`, async () => {
      await (await filled(encoding, { format: "csv" })).roundTrip();
    });

  it("in LATIN1 has no copy in Parquet, which is UTF-8, and says so before anything is done", async () => {
    const life = await filled("LATIN1", { parquet: {} });
    await assert.rejects(life.archived(), /texts of Parquet are UTF-8, and the database has LATIN1/);
    assert.deepEqual(await readdir(directory), []);
  });
});
