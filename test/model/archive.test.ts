/**
 * Random lives of a table whose months go into an archive and come back, while rows are written and updates are killed: after
 * every update each row is in one place, in the table, in a detached one or in the archive, as it was written last.
 */
import "../support/in-memory";
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import fc from "fast-check";
import type { Client } from "pg";
import { from } from "pg-copy-streams";
import { readManifest } from "../../archive/inventory";
import { partsIn } from "../../archive/manifest";
import { readRows } from "../../archive/object";
import { FileStore } from "../../archive/stores/file";
import type { Database } from "../../provider/database";
import type { Properties } from "../../provider/values";
import { describeOnNewest } from "../support/postgres";
import { type ArchiveSequence, type ArchiveStep, archiveProgram, archiveSequences, YOUNG } from "./archive";
import { killedAfter, makeMortal } from "./kill";
import { databaseOf, Subject } from "./subject";
import { empty } from "./table";

const SEQUENCES = Math.ceil(Number(process.env.PGPARTITION_MODEL_SEQUENCES ?? 2000) / 125);
const SEED = Number(process.env.PGPARTITION_MODEL_SEED ?? 2026);

makeMortal();

/** What sequences came to. */
interface Tally {
  ups: number;
  refused: number;
  killed: number;
  /** Updates after which some rows were in the archive only, and after which some of them were back. */
  archived: number;
  restored: number;
}

class Life {
  private readonly subject: Subject;
  private readonly store: FileStore;
  readonly trace: string[] = [];
  private spec = YOUNG;
  private lastId = 0;
  private inArchive = new Set<string>();

  constructor(
    database: Database,
    private readonly client: Client,
    directory: string,
    private readonly tally: Tally,
  ) {
    this.subject = new Subject(database);
    this.store = new FileStore(directory);
  }

  async begin(rows: readonly number[]): Promise<void> {
    await this.client.query(`CREATE TABLE s.t (id bigint, at timestamptz, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
      CREATE TABLE s_model.rows (LIKE s.t)`);
    await this.up(undefined, false);
    for (const day of rows) await this.insert(day);
  }

  async step({ rows, changed, deleted, next, kill, isLeft, refresh }: ArchiveStep): Promise<void> {
    for (const day of rows) await this.insert(day);
    for (const at of changed) await this.write(at, "UPDATE %t SET note = note || ' changed' WHERE id = $1");
    for (const at of deleted) await this.write(at, "DELETE FROM %t WHERE id = $1");
    if (refresh) await this.subject.refresh();
    this.spec = { ...this.spec, ...next };
    await this.up(kill, isLeft);
  }

  /** A row that has no place is not written. */
  private async insert(day: number): Promise<void> {
    this.lastId += 1;
    const values = [this.lastId, day, `note\t${this.lastId}, "so\nto say"`];
    const row = "SELECT $1::bigint, timestamptz '2026-01-01 00:00+00' + $2::integer * interval '1 day', $3::text";
    try {
      await this.client.query(`INSERT INTO s.t ${row}`, values);
    } catch (error) {
      if ((error as { code?: string }).code === "23514") return;
      throw error;
    }
    await this.client.query(`INSERT INTO s_model.rows ${row}`, values);
  }

  /** To one of the rows that are in the table. */
  private async write(at: number, sql: string): Promise<void> {
    const { rows } = await this.client.query<{ id: string }>("SELECT id FROM s.t ORDER BY id");
    if (rows.length === 0) return;
    const id = rows[at % rows.length]?.id;
    for (const table of ["s.t", "s_model.rows"]) await this.client.query(sql.replace("%t", table), [id]);
  }

  private async up(kill: number | undefined, isLeft: boolean): Promise<void> {
    const { subject, client, tally } = this;
    const program = archiveProgram(this.spec, "s", this.store.url);
    const news = subject.check(program);
    this.trace.push(`${JSON.stringify(program)}${news === undefined ? " (Check refuses)" : ""}`);
    if (news === undefined) return;
    if (kill !== undefined && subject.isRecorded) {
      const died = await killedAfter(kill, client, () => subject.forget(() => subject.up(news)));
      if (died) tally.killed += 1;
      this.trace.push(`killed after ${kill} statements: ${died}${died && isLeft ? ", and left like that" : ""}`);
      // The next update is of another program, and the state knows nothing of this one.
      if (died && isLeft) return;
    }
    const { refused } = await subject.up(news);
    tally.ups += 1;
    if (refused.length > 0) tally.refused += 1;
    for (const reason of refused) this.trace.push(`  refused: ${reason}`);
    await this.expectRows();
    if (refused.length === 0) await this.expectSettled(news);
  }

  /** What was written is what is there, each row once. */
  private async expectRows(): Promise<void> {
    const { tally } = this;
    const { rows } = await this.client.query<{ row: string }>(
      "SELECT id::text || ' ' || note AS row FROM s_model.rows",
    );
    const archived = await this.archivedRows();
    const before = this.inArchive;
    this.inArchive = new Set(archived);
    if (archived.length > 0) tally.archived += 1;
    if ([...before].some((row) => !this.inArchive.has(row))) tally.restored += 1;
    const found = [...(await this.tableRows()), ...archived];
    assert.deepEqual(found.sort(), rows.map(({ row }) => row).sort());
  }

  private async tableRows(): Promise<string[]> {
    const { rows: roots } = await this.client.query<{ name: string }>(
      `SELECT c.oid::regclass::text AS name FROM pg_class c
       WHERE c.relnamespace = 's'::regnamespace AND c.relkind IN ('r', 'p')
         AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid AND NOT i.inhdetachpending)
         AND coalesce(obj_description(c.oid, 'pg_class'), '') NOT LIKE 'pgpartition restores %'`,
    );
    const reads = roots.map(({ name }) => `SELECT id::text || ' ' || note AS row FROM ${name}`);
    const { rows } = await this.client.query<{ row: string }>(reads.join(" UNION ALL "));
    return rows.map(({ row }) => row);
  }

  /** Rows that the state knows to be in the archive only, read from there by PostgreSQL itself. */
  private async archivedRows(): Promise<string[]> {
    const { client, store, subject } = this;
    const manifests = subject.archived.map((key) => readManifest(store, { key, bytes: 0 }));
    await client.query("CREATE TEMP TABLE back (LIKE s_model.rows)");
    for (const manifest of await Promise.all(manifests))
      for (const part of partsIn(manifest)) {
        const options = part.format === "csv" ? " WITH (FORMAT csv, HEADER true)" : "";
        await pipeline(await readRows(store, part), client.query(from(`COPY back FROM STDIN${options}`)));
      }
    const { rows } = await client.query<{ row: string }>("SELECT id::text || ' ' || note AS row FROM back");
    await client.query("DROP TABLE back");
    return rows.map(({ row }) => row);
  }

  /** PostgreSQL's counters of changes come late, so that an export may be looked at once more. */
  private async expectSettled(news: Properties): Promise<void> {
    const { plan } = await this.subject.lookAgain(news);
    const left = plan.steps.filter(({ kind }) => kind !== "export");
    assert.deepEqual(
      left.map(({ id, reason }) => `${id}: ${reason}`),
      [],
    );
  }
}

describeOnNewest(`random lives of an archive, seed ${SEED}`, (server) => {
  it(`${SEQUENCES} sequences lose no row, and have none twice`, async function () {
    this.timeout(0);
    const { connection, client: connect, drop } = await server().createDatabase();
    const client = await connect();
    const database = databaseOf(connection);
    const tally: Tally = { ups: 0, refused: 0, killed: 0, archived: 0, restored: 0 };
    const live = async ({ rows, steps }: ArchiveSequence) => {
      const directory = await mkdtemp(join(tmpdir(), "archive-model-"));
      const life = new Life(database, client, directory, tally);
      try {
        await life.begin(rows);
        for (const step of steps) await life.step(step);
      } catch (error) {
        throw new Error(`${error instanceof Error ? error.stack : error}\n\nafter:\n${life.trace.join("\n")}`);
      } finally {
        await empty(client, ["s", "s_model"]);
        await rm(directory, { recursive: true });
      }
    };
    try {
      await client.query("CREATE SCHEMA s; CREATE SCHEMA s_model; SET client_min_messages = warning");
      await fc.assert(fc.asyncProperty(archiveSequences, live), { seed: SEED, numRuns: SEQUENCES, endOnFailure: true });
    } finally {
      await database.cancel();
      await drop();
    }
    console.log(`      ${JSON.stringify(tally)}`);
    assert.ok(tally.archived > 0 && tally.restored > 0 && tally.killed > 0, "all of it has happened");
  });
});
