/** What people see of an archive: previews with and without it, what is missing from it, and how it is taken leave of. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import type { Properties } from "../../../provider/values";
import { UNKNOWN } from "../../../topology/unknown";
import { describeOnOldestAndNewest, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { OneResource } from "./one-resource";
import { changeRows } from "./support";

/** Nobody listens at the first port. */
const UNREACHABLE = { store: "s3://archive/events?region=eu-central-1&endpoint=http://127.0.0.1:1" };

const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: "nobody",
  AWS_SECRET_ACCESS_KEY: "nothing",
  AWS_EC2_METADATA_DISABLED: "true",
};

describeOnOldestAndNewest("what is told of an archive", (server) => {
  let database: TestDatabase;
  let client: Client;
  let directory: string;
  let set: OneResource;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    set = new OneResource(database.connection);
    await client.query("CREATE TABLE events (id bigint, at timestamptz NOT NULL) PARTITION BY RANGE (at)");
  });
  // Those of the S3 server of other suites are among them.
  let before: NodeJS.ProcessEnv;
  beforeEach(() => {
    before = { ...process.env };
    Object.assign(process.env, CREDENTIALS);
  });
  afterEach(() => {
    process.env = { ...before };
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const program = (more: Properties = {}): Properties => ({
    table: "events",
    partitionBy: { range: { column: "at", type: "timestamptz", every: "month" } },
    window: { from: "2026-01", ahead: 0 },
    asOf: "2026-04",
    archive: { store: `file://${directory}` },
    ...more,
  });

  const AGED = {
    lifecycle: [
      { after: "1 month", tier: "exported" },
      { after: "2 months", tier: "archived" },
    ],
  };
  const PINNED = { ...AGED, pins: [{ from: "2026-01", to: "2026-02" }] };
  /** What is archived is given up. */
  const GIVEN_UP = { lifecycle: [{ after: "2 months", tier: "dropped" }] };

  /** January archived, February exported. */
  async function archived(): Promise<void> {
    await set.up(program());
    await changeRows(
      database,
      "INSERT INTO events SELECT i, '2026-01-01'::timestamptz + i * interval '1 hour' FROM generate_series(0, 2500) AS i",
    );
    await set.up(program(AGED));
  }

  const files = async () => (await readdir(directory, { recursive: true })).sort();
  const count = async () => (await client.query("SELECT count(*)::int AS n FROM events")).rows[0].n;
  const exists = async (table: string) =>
    (await client.query("SELECT to_regclass($1) IS NOT NULL AS there", [table])).rows[0].there;
  /** Whether the server was told to change something. */
  const changes = async () =>
    (await database.statements()).filter((sql) =>
      /^(ALTER|CREATE TABLE (?!pg_temp)|DROP|COMMENT|LOCK|INSERT)/.test(sql),
    );

  it("a preview shows what is exported, proven and dropped, with rows and the statements and locks of each", async () => {
    await set.up(program());
    await client.query("INSERT INTO events SELECT i, '2026-01-15' FROM generate_series(1, 1000) AS i; ANALYZE events");
    const promised = await set.preview(program(AGED));
    assert.match(set.text, /public\.events: 1 to export \(≈0 rows, 0 B\), 1 to archive \(≈1,000 rows, [\d.]+ kB\)\n/);
    assert.match(set.text, /export events_2026_01 .*\(after 2 months: archived\)/);
    assert.match(set.text, /COPY "public"\."events_2026_01" \("id", "at"\) TO STDOUT/);
    assert.match(set.text, /ACCESS SHARE on "public"\."events_2026_01", for a scan: blocks neither reads nor writes/);
    assert.match(
      set.text,
      /LOCK TABLE ONLY "public"\."events_2026_01" IN SHARE MODE\n +COPY "public"\."events_2026_01"/,
    );
    assert.match(set.text, /lock: SHARE on "public"\."events_2026_01", for a scan: blocks writes/);
    assert.match(set.text, /rows are in the archive only \(≈1,000 rows, .*\); the table goes when they are proven/);
    assert.deepEqual((promised.partitions as Properties).events_2026_01, {
      from: "2026-01-01 00:00:00+00",
      to: "2026-02-01 00:00:00+00",
      tier: "archived",
    });
    assert.equal(promised.archives, UNKNOWN);
    assert.deepEqual(set.diff(program(AGED)).sort(), [
      "lifecycle",
      "partitions.events_2026_01.tier",
      "partitions.events_2026_02.tier",
    ]);
  });

  it("outputs tell rows, bytes and the manifest of what is archived, and a refresh changes none of it", async () => {
    await archived();
    const copies = set.outputs.archives as Record<string, { rows: number; manifest: { key: string } }>;
    assert.equal(copies.events_2026_01?.rows, 744);
    assert.match(
      copies.events_2026_01?.manifest.key ?? "",
      /\/public\/events\/events_2026_01\/\d+\.1\/manifest\.json$/,
    );
    const before = set.outputs;
    await set.refresh();
    assert.deepEqual(set.outputs, before);
    assert.deepEqual(set.diff(program(AGED)), []);
  });

  it("an update that has restored says so at its end", async () => {
    await archived();
    await set.up(program(PINNED));
    assert.match(set.said.at(-1) ?? "", /^1 restored \(≈744 rows, .*\)$/);
  });

  it("a preview of a restore tells its rows and bytes", async () => {
    await archived();
    await set.preview(program(PINNED));
    assert.match(set.text, /public\.events: 1 to restore \(≈744 rows, [\d.]+ kB\)/);
    assert.match(set.text, /restore events_2026_01 /);
    const table = String.raw`"public"\."events_2026_01"`;
    const mark = `COMMENT ON TABLE ${table} IS 'pgpartition restores …'`;
    const shown = [
      ["-- a table that nobody uses yet", `CREATE TABLE ${table}`],
      [mark, "-- with each object of the archive", String.raw`COPY ${table} \("id", "at"\) FROM STDIN`],
      [mark, "-- when all rows are there", `LOCK TABLE ${table} IN SHARE MODE`],
      [String.raw`COPY ${table} \("id", "at"\) TO STDOUT`, mark],
      [`lock: SHARE on ${table}, for a scan: blocks writes`],
    ];
    assert.match(set.text, new RegExp(shown.flat().join("[^]*")));
  });

  it("while the store does not answer a preview plans from the state and says so; up stops and nothing is done", async () => {
    await archived();
    await set.preview(program({ ...PINNED, archive: UNREACHABLE }));
    assert.match(
      set.text,
      /warning: Planned without the archive, from what the state knows of it: s3:\/\/archive\/events/,
    );
    assert.match(set.text, /ECONNREFUSED.*the store does not answer/);
    assert.match(set.text, /1 to restore \(≈744 rows/);
    const before = { ...set.outputs };
    await database.logStatements();
    await assert.rejects(set.up(program({ ...PINNED, archive: UNREACHABLE })), /ECONNREFUSED/);
    assert.deepEqual(await changes(), []);
    assert.deepEqual(set.outputs, before);
  });

  it("credentials that nobody has are told like a store that refuses them", async () => {
    await archived();
    const profile = { store: "s3://archive/events?region=eu-central-1&endpoint=http://127.0.0.1:1&profile=nobody" };
    delete process.env.AWS_ACCESS_KEY_ID;
    await set.preview(program({ ...AGED, archive: profile }));
    assert.match(
      set.text,
      /warning: Planned without the archive.*CredentialsProviderError.*there are no credentials: set AWS_PROFILE/,
    );
    await assert.rejects(set.up(program({ ...AGED, archive: profile })), /there are no credentials: set AWS_PROFILE/);
  });

  it("while the database does not answer a preview knows what is archived, and what can be restored", async () => {
    await archived();
    set.connection = { ...set.connection, port: 1 };
    await set.preview(program(AGED));
    assert.match(set.text, /no changes/);
    await set.preview(program(PINNED));
    assert.match(set.text, /1 to restore \(≈744 rows/);
  });

  it("a bucket that is made by the same update is no reason to show nothing", async () => {
    await set.up(program());
    await set.preview(program({ ...AGED, archive: { store: UNKNOWN } }));
    assert.match(set.text, /archive\.store is known when its bucket has been made/);
    assert.match(set.text, /1 to export .*, 1 to archive /);
  });

  it("while a new bucket is made what is archived is planned by the state, and where it is now is said", async () => {
    await archived();
    await set.preview(program({ ...AGED, archive: { store: UNKNOWN } }));
    assert.match(set.text, /no changes/);
    assert.match(
      set.text,
      /events_2026_01 \(744 rows, [\d.]+ kB\): archived in file:\/\/.*; bring the objects into the new store/,
    );
    await set.preview(program({ ...PINNED, archive: { store: UNKNOWN } }));
    assert.match(set.text, /1 to restore \(≈744 rows/);
    assert.doesNotMatch(set.text, /create events_2026_01/);
  });

  it("an import finds what is archived when its program is previewed, and restores all of it", async () => {
    await archived();
    const { archives, partitions } = set.outputs;
    set = new OneResource(database.connection);
    await set.import(`${database.connection.database}/public.events`);
    await set.preview(program(AGED));
    assert.match(set.text, /no changes/);
    assert.deepEqual(
      set.diff(program(AGED)).filter((path) => path.startsWith("partitions")),
      ["partitions.events_2026_02.tier"],
    );
    await set.up(program(AGED));
    assert.deepEqual([set.outputs.archives, set.outputs.partitions], [archives, partitions]);
    assert.deepEqual(set.diff(program(AGED)), []);
    await set.refresh();
    assert.deepEqual(set.diff(program(AGED)), []);
    await set.import(`${database.connection.database}/public.events`);
    await set.preview(program(PINNED));
    assert.match(set.text, /1 to restore \(≈744 rows/);
    assert.doesNotMatch(set.text, /dropped outside/);
    await set.up(program(PINNED));
    assert.equal(await count(), 2501);
  });

  it("a copy that has gone from the store is shown by a refresh, and its partition is not made empty", async () => {
    await archived();
    await rename(directory, `${directory}.away`);
    try {
      await set.refresh();
      assert.equal(set.tiers.events_2026_01, "missing");
      // The copy of February is remembered, so that nobody takes the empty store for the right one.
      assert.deepEqual(set.diff(program(AGED)), ["partitions.events_2026_01.tier"]);
      await set.preview(program(AGED));
      assert.match(set.text, /warning: .*events_2026_01 is archived, but the archive as it is declared has no /);
      await assert.rejects(set.up(program(PINNED)), /has none of the 2 copies that the state knows/);
      assert.equal(await exists("events_2026_01"), false);
    } finally {
      await rm(directory, { recursive: true, force: true });
      await rename(`${directory}.away`, directory);
    }
    await set.refresh();
    assert.equal(set.tiers.events_2026_01, "archived");
    await set.up(program(PINNED));
    assert.equal(await count(), 2501);
  });

  it("without its archive a partition that was archived is not made empty either", async () => {
    await archived();
    await assert.rejects(set.up(program({ archive: undefined })), /not made empty in its place/);
    assert.equal(await exists("events_2026_01"), false);
  });

  it("tier dropped makes the state forget what is archived, and leaves the objects to whoever owns the store", async () => {
    await archived();
    const stored = await files();
    await set.preview(program(GIVEN_UP));
    assert.match(
      set.text,
      /info: events_2026_01 \(744 rows, [\d.]+ kB\): archived, and not declared to be so any more/,
    );
    assert.deepEqual(
      set.diff(program(GIVEN_UP)).filter((path) => path.startsWith("partitions")),
      ["partitions.events_2026_01.tier", "partitions.events_2026_02.tier"],
    );
    await set.up(program(GIVEN_UP));
    assert.equal(set.tiers.events_2026_01, undefined);
    assert.equal(set.outputs.archives, undefined);
    assert.deepEqual(await files(), stored);
    assert.deepEqual(set.diff(program(GIVEN_UP)), []);
  });

  for (const onDelete of ["refuse", "detach", "drop"])
    it(`a destroy with onDelete ${onDelete} leaves the archive alone, needs it not, and says where its rows are`, async () => {
      await archived();
      await set.up(program({ ...AGED, onDelete }));
      const stored = await files();
      const held = await count();
      if (onDelete === "refuse") {
        await assert.rejects(set.destroy(), /hold rows/);
        assert.equal(await count(), held);
        await client.query("DELETE FROM events");
      }
      await rename(directory, `${directory}.away`);
      await set.destroy();
      await rename(`${directory}.away`, directory);
      assert.match(set.text, /info: public\.events: the rows of events_2026_01 \(744 rows, [\d.]+ kB\) stay in file:/);
      assert.deepEqual(await files(), stored);
      assert.equal(await exists("events_2026_02"), onDelete === "detach");
    });

  it("a state that was lost finds in the archive what the program declares to be there", async () => {
    await archived();
    const { outputs } = set;
    set = new OneResource(database.connection);
    await set.preview(program(AGED));
    assert.match(set.text, /no changes/);
    await set.up(program(AGED));
    assert.deepEqual(set.outputs, outputs);
    await set.up(program(PINNED));
    assert.equal(await count(), 2501);
  });

  it("a table that was adopted is archived like one that was made here", async () => {
    await client.query(`CREATE TABLE events_2026_01 PARTITION OF events FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
      INSERT INTO events SELECT i, '2026-01-15' FROM generate_series(1, 10) AS i`);
    await set.up(program(AGED));
    assert.equal(set.tiers.events_2026_01, "archived");
    await set.up(program(PINNED));
    assert.equal(await count(), 10);
  });
});
