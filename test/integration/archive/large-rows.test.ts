/** Rows as large as they come: pieces of them pass through, and what PostgreSQL cannot tell stays where it is. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import { describeOnNewest, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { ArchivedLife } from "./life";

describeOnNewest("the archive of large rows", (server) => {
  let database: TestDatabase;
  let client: Client;
  let directory: string;
  let life: ArchivedLife;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    await client.query(
      "CREATE TABLE events (id bigint, at timestamptz NOT NULL, a text, b bytea) PARTITION BY RANGE (at)",
    );
    life = new ArchivedLife(database.connection, client, { store: `file://${directory}` });
    await life.begin();
  });
  afterEach(() => rm(directory, { recursive: true }));

  it("gives back one of 64 MB, in text and in bytes", async () => {
    await client.query(`INSERT INTO events SELECT 1, '2026-01-15', digits, digits::bytea
      FROM (SELECT repeat(string_agg(md5(i::text), E'\\n'), 32) AS digits FROM generate_series(1, 20000) AS i) AS x`);
    await life.roundTrip();
  });

  it("says of one that has no text what is to be done, and keeps the table", async () => {
    await client.query("INSERT INTO events SELECT 1, '2026-01-15', NULL, repeat('x', 550000000)::bytea");
    await assert.rejects(
      life.archived(),
      /cannot write a row of "public"\."events_2026_01" as text: .*bytea counting twice/,
    );
  });
});
