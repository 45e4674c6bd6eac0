/** The life of a partition through the real engine: into an archive and back, with the bucket in the same stack. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { GetBucketPolicyCommand, GetBucketVersioningCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import type { Client } from "pg";
import { type TestDatabase, testMajors, testServer } from "../support/postgres";
import { describeOnS3 } from "../support/s3";
import { TestStack } from "../support/stack";

const ROOT = resolve(__dirname, "../..");
const STAND_INS = join(ROOT, "test", "stand-ins", "bin");

interface Declared {
  asOf: string;
  pins?: { from: string; to: string; until?: string }[];
  onDelete?: "drop";
}

/** A month live, then exported; two months later the rows are in the archive only. */
const table = (store: string, { asOf, pins = [], onDelete }: Declared) => `
new pgp.PartitionedTable("events", {
  columns: [{ name: "id", type: "bigint" }, { name: "at", type: "timestamptz" }, { name: "payload", type: "text" }],
  primaryKey: ["id", "at"],
  partitionBy: { range: { column: "at", every: "month" } },
  window: { from: "2026-01", ahead: 0 },
  asOf: "${asOf}",
  lifecycle: [{ after: "1 month", tier: "exported" }, { after: "2 months", tier: "archived" }],
  pins: ${JSON.stringify(pins)},
  archive: { store: ${store} },
  ${onDelete ? `onDelete: "${onDelete}",` : ""}
}, { provider });`;

const ROWS = `INSERT INTO events SELECT i, '2026-01-01Z'::timestamptz + i * interval '1 hour', 'row ' || i
  FROM generate_series(0, 1400) AS i`;
const JANUARY = [{ from: "2026-01", to: "2026-02", until: "2026-06" }];
const PARTITIONS = `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  WHERE i.inhparent = 'public.events'::regclass ORDER BY 1`;
const CONTENT = "SELECT md5(string_agg(e::text, ',' ORDER BY id)) AS hash FROM events AS e";

interface Archived {
  stack: TestStack;
  client: Client;
  program(declared: Declared): string;
  /** Keys of all objects that hold rows. */
  objects(): Promise<string[]>;
}

const tierOf = async (stack: TestStack, name: string) => {
  const { resources } = await stack.exportState();
  const set = resources.find(({ type }) => type === "pgpartition:index:PartitionSet");
  const partitions = (set?.outputs?.partitions ?? {}) as Record<string, { tier: string }>;
  return partitions[name]?.tier;
};

/** One `it` for each turn in the life of January; each goes on from the one before. */
function goThroughLife(archived: () => Archived): void {
  let content: string;
  let written: string[];

  const partitions = async () => (await archived().client.query(PARTITIONS)).rows.map(({ name }) => name);
  const hash = async () => (await archived().client.query(CONTENT)).rows[0].hash;
  /** What the preview says; then it is done. */
  const move = async (declared: Declared): Promise<string> => {
    const { stack, program } = archived();
    await stack.setProgram(program(declared));
    const { output } = await stack.mustRun(["up", "--yes", "--diff"]);
    return output.slice(0, output.indexOf("\nUpdating (test)"));
  };
  const unchanged = async () => {
    const { code, output } = await archived().stack.run(["preview", "--expect-no-changes"]);
    assert.equal(code, 0, output);
  };

  it("previews the first update with every partition, and makes it", async () => {
    const shown = await move({ asOf: "2026-02" });
    assert.match(shown, /CREATE TABLE "public"\."events_2026_01" PARTITION OF "public"\."events"/);
    assert.deepEqual(await partitions(), ["events_2026_01", "events_2026_02"]);
    await archived().client.query(ROWS);
    content = await hash();
    await unchanged();
  });

  it("exports the month that is over by a month, and leaves its rows in their place", async () => {
    const shown = await move({ asOf: "2026-03" });
    assert.match(shown, /export events_2026_01/);
    assert.equal(await tierOf(archived().stack, "events_2026_01"), "exported");
    assert.equal(await hash(), content);
    written = await archived().objects();
    assert.equal(written.length, 1);
    await unchanged();
  });

  it("archives it a month later: proven, dropped, and not written a second time", async () => {
    const shown = await move({ asOf: "2026-04" });
    assert.match(shown, /DETACH PARTITION "public"\."events_2026_01" CONCURRENTLY/);
    assert.match(shown, /DROP TABLE "public"\."events_2026_01"/);
    assert.equal(await tierOf(archived().stack, "events_2026_01"), "archived");
    assert.deepEqual(await partitions(), ["events_2026_02", "events_2026_03", "events_2026_04"]);
    const all = await archived().objects();
    assert.deepEqual(
      all.filter((key) => key.includes("/events_2026_01/")),
      written,
    );
    written = all;
    await unchanged();
  });

  it("brings it back by a pin, row by row, and refreshes without a difference", async () => {
    const shown = await move({ asOf: "2026-04", pins: JANUARY });
    assert.match(shown, /restore events_2026_01/);
    assert.equal(await tierOf(archived().stack, "events_2026_01"), "live");
    assert.equal(await hash(), content);
    const refresh = await archived().stack.run(["refresh", "--yes", "--expect-no-changes"]);
    assert.equal(refresh.code, 0, refresh.output);
    await unchanged();
  });

  it("archives it again when the pin ends, without writing a byte", async () => {
    const shown = await move({ asOf: "2026-04" });
    assert.match(shown, /DROP TABLE "public"\."events_2026_01"/);
    assert.equal(await tierOf(archived().stack, "events_2026_01"), "archived");
    assert.deepEqual(await archived().objects(), written);
    const refresh = await archived().stack.run(["refresh", "--yes", "--expect-no-changes"]);
    assert.equal(refresh.code, 0, refresh.output);
    await unchanged();
  });
}

async function newDatabase(): Promise<TestDatabase> {
  return (await testServer(testMajors().at(-1) ?? 18)).createDatabase();
}

describe("a table with its archive in a directory", function () {
  this.timeout(0);
  let database: TestDatabase;
  let stack: TestStack;
  let client: Client;
  let directory: string;
  const program = (declared: Declared) => table(JSON.stringify(`file://${directory}`), declared);

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "pgpartition-archive-"));
    database = await newDatabase();
    stack = await TestStack.create({ database: database.connection, program: program({ asOf: "2026-02" }) });
    client = await database.client();
  });
  after(async () => {
    await client?.end();
    await stack?.remove();
    await database?.drop();
    await rm(directory, { recursive: true });
  });

  const objects = async () => {
    if (!existsSync(directory)) return [];
    const names = await readdir(directory, { recursive: true });
    return names.filter((name) => name.endsWith(".zst")).sort();
  };

  goThroughLife(() => ({ stack, client, program, objects }));

  it("is destroyed only with the words for it, and what is archived stays", async () => {
    const refused = await stack.destroy();
    assert.notEqual(refused.code, 0);
    assert.equal((await client.query("SELECT count(*)::int AS n FROM events")).rows[0].n, 1401 - 744);
    const before = await objects();
    await stack.setProgram(program({ asOf: "2026-04", onDelete: "drop" }));
    await stack.mustUp();
    const destroyed = await stack.destroy();
    assert.equal(destroyed.code, 0, destroyed.output);
    assert.match(destroyed.output, /the rows of events_2026_01 \(744 rows, [\d.]+ kB\) stay in file:/);
    assert.deepEqual(await objects(), before);
  });
});

describeOnS3("a table with its ArchiveBucket in one stack, with a stand-in for the aws plugin", (s3) => {
  let database: TestDatabase;
  let stack: TestStack;
  let client: Client;

  const program = (declared: Declared) => `
const { ArchiveBucket } = require(${JSON.stringify(join(ROOT, "dist", "components", "aws"))});
const archive = new ArchiveBucket("archive", {
  prefix: "app",
  lifecycle: { transitions: [{ afterDays: 90, storageClass: "GLACIER_IR" }], expireAfterDays: 3650 },
  objectLock: { mode: "COMPLIANCE", days: 1 },
  forceDestroy: true,
  tags: { team: "data" },
});
exports.bucket = archive.bucket;
${table("archive.store", declared)}`;

  before(async function () {
    this.timeout(0);
    database = await newDatabase();
    stack = await TestStack.create({
      database: database.connection,
      program: program({ asOf: "2026-02" }),
      path: [STAND_INS],
      env: { AWS_ENDPOINT_URL_S3: s3().endpoint, AWS_REGION: s3().region },
    });
    client = await database.client();
  });
  after(async () => {
    await client?.end();
    await stack?.remove();
    await database?.drop();
  });

  const bucket = async () => (await stack.mustRun(["stack", "output", "bucket"])).stdout.trim();
  const objects = async () => {
    const { Contents = [] } = await s3().client.send(new ListObjectsV2Command({ Bucket: await bucket() }));
    return Contents.flatMap(({ Key }) => (Key?.endsWith(".zst") ? [Key] : [])).sort();
  };

  goThroughLife(() => ({ stack, client, program, objects }));

  it("previews by the state while the bucket does not answer, and says so; up begins nothing", async () => {
    await stack.setProgram(program({ asOf: "2026-04", pins: JANUARY }));
    await s3().kill();
    try {
      const preview = await stack.previewText();
      assert.equal(preview.code, 0, preview.output);
      assert.match(preview.output, /Planned without the archive, from what the state knows of it: .*ECONNREFUSED/);
      assert.match(preview.output, /restore events_2026_01/);
      assert.doesNotMatch(preview.output, /create events_2026_01/);
      const refused = await stack.up();
      assert.notEqual(refused.code, 0);
      assert.match(refused.output, /error: .*s3:\/\/.*ECONNREFUSED.*the store does not answer; try again/);
      const { rows } = await client.query(PARTITIONS);
      assert.deepEqual(
        rows.map(({ name }) => name),
        ["events_2026_02", "events_2026_03", "events_2026_04"],
      );
    } finally {
      await s3().start();
    }
    await stack.setProgram(program({ asOf: "2026-04" }));
    const { code, output } = await stack.run(["preview", "--expect-no-changes"]);
    assert.equal(code, 0, output);
  });

  it("plans by the state what is archived when another bucket is declared that is still to be made", async () => {
    const other = program({ asOf: "2026-04", pins: JANUARY }).replace(
      'ArchiveBucket("archive"',
      'ArchiveBucket("other"',
    );
    await stack.setProgram(other);
    const preview = await stack.previewText();
    assert.equal(preview.code, 0, preview.output);
    assert.match(preview.output, /restore events_2026_01/);
    assert.doesNotMatch(preview.output, /create events_2026_01/);
    assert.match(
      preview.output,
      /events_2026_01 \(744 rows, .*\): archived in s3:\/\/.*; bring the objects into the new store/,
    );
  });

  it("refuses to destroy rows, and then object lock refuses to destroy the archive", async () => {
    const before = await objects();
    const rows = await stack.destroy();
    assert.notEqual(rows.code, 0);
    assert.equal((await client.query("SELECT count(*)::int AS n FROM events")).rows[0].n, 1401 - 744);
    await stack.setProgram(program({ asOf: "2026-04", onDelete: "drop" }));
    await stack.mustUp();
    const locked = await stack.destroy();
    assert.notEqual(locked.code, 0);
    assert.match(locked.output, /protected by object lock/);
    assert.deepEqual(await objects(), before);
    const at = { Bucket: await bucket() };
    assert.equal((await s3().client.send(new GetBucketVersioningCommand(at))).Status, "Enabled");
    const { Policy = "" } = await s3().client.send(new GetBucketPolicyCommand(at));
    assert.match(Policy, /"PlainHttp"/);
  });
});
