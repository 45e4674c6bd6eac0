/** What is not ours, in the store and in the database: never read as ours, never touched, never taken for satisfied. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Client } from "pg";
import { type Manifest, manifestText, parseManifest } from "../../../archive/manifest";
import type { Sessions } from "../../../postgres/connection";
import type { Properties } from "../../../provider/values";
import { describeOnNewest, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { SetUnderTest } from "../tree/support";
import { changeRows } from "./support";

const DAYS_AGO = new Date(Date.now() - 3 * 86_400_000);

const EVENTS = "CREATE TABLE events (id int NOT NULL, at date NOT NULL, payload text) PARTITION BY RANGE (at)";
const ROWS = "INSERT INTO events SELECT i, '2026-01-01'::date + i % 90, 'row ' || i FROM generate_series(1, 900) AS i";

describeOnNewest("beside an archive, what others have", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;
  let stack: SetUnderTest;
  let directory: string;

  openForEachTest(server, (opened) => {
    ({ database, client, sessions } = opened);
    stack = new SetUnderTest(sessions);
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    await client.query(EVENTS);
    await stack.settle(months("live"));
    await changeRows(database, ROWS);
  });
  afterEach(() => rm(directory, { recursive: true }));

  const months = (tier: string, more: Properties = {}): Properties => ({
    table: "events",
    partitionBy: { range: { column: "at", type: "date", every: "month" } },
    window: { from: "2026-01", ahead: 0 },
    asOf: "2026-03",
    archive: { store: `file://${directory}` },
    ...(tier === "live" ? {} : { lifecycle: [{ after: "1 month", tier }] }),
    ...more,
  });
  const PINNED = { pins: [{ from: "2026-01", to: "2026-02" }] };

  const content = async (table = "events") =>
    (
      await client.query(
        `SELECT count(*)::int AS n, md5(string_agg(e::text, ',' ORDER BY e::text)) AS hash FROM ${table} AS e`,
      )
    ).rows[0] as { n: number; hash: string };
  const oidOf = async (table: string): Promise<number | null> =>
    (await client.query("SELECT to_regclass($1)::oid::int AS oid", [table])).rows[0].oid;
  const files = async () =>
    (await readdir(directory, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
  const manifests = async (partition: string) =>
    (await files()).filter((path) => path.includes(`/${partition}/`) && path.endsWith("/manifest.json"));
  async function manifestOf(partition: string): Promise<{ path: string; manifest: Manifest }> {
    const [path] = await manifests(partition);
    assert.ok(path);
    return { path, manifest: parseManifest(await readFile(path, "utf8")) };
  }
  async function put(path: string, text: string, old = false): Promise<void> {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    if (old) await utimes(path, DAYS_AGO, DAYS_AGO);
  }

  it("objects with names that look like ours are neither read nor deleted", async () => {
    const before = await content();
    await stack.settle(months("exported"));
    const { path } = await manifestOf("events_2026_01");
    const generation = dirname(path);
    const [partition, table] = [dirname(generation), dirname(dirname(generation))];
    const at = `.${randomUUID()}.unfinished`;
    const own = join(generation, `0-7.copy.zst${at}`);
    const theirs = [
      join(directory, "README.txt"),
      join(table, "manifest.json"),
      join(partition, "manifest.json"),
      join(partition, "0.99", "x", "manifest.json"),
      join(partition, "latest", "manifest.json"),
      join(partition, "0099999.99", "manifest.json"),
      join(table, "%65vents_2026_01", "99999.99", "manifest.json"),
      join(generation, "notes.txt"),
      join(generation, "manifest.json.bak"),
      join(generation, "theirs.unfinished"),
      join(generation, `theirs${at}`),
      join(partition, `backup.tar${at}`),
    ];
    for (const one of theirs) await put(one, '{"format": "theirs"}', true);
    await put(own, "half", true);
    await changeRows(database, "UPDATE events SET payload = 'late' WHERE at < '2026-01-10'");
    const changed = await content();
    await stack.settle(months("archived"));
    await stack.settle(months("archived", PINNED));
    assert.deepEqual(await content(), changed);
    assert.notDeepEqual(changed, before);
    const left = await files();
    for (const one of theirs) {
      assert.ok(left.includes(one), one);
      assert.equal(await readFile(one, "utf8"), '{"format": "theirs"}');
    }
    assert.ok(!left.includes(own), "what a killed writer of ours has left is gone");
  });

  it("copies of another cluster, database, schema and table with the same names and OIDs are not this table's", async () => {
    await stack.settle(months("exported"));
    const { path } = await manifestOf("events_2026_01");
    const place = dirname(dirname(path)).slice(directory.length + 1);
    const [cluster = "", name = "", schema = "", table = "", partition = ""] = place.split("/");
    const others = [
      [`${cluster}1`, name, schema, table, partition],
      [cluster, `${name}_2`, schema, table, partition],
      [cluster, name, "other", table, partition],
      [cluster, name, schema, `${table}_payments`, partition],
    ].map((parts) => join(directory, ...parts));
    await rename(join(directory, place), join(directory, "kept"));
    for (const other of others) await cp(join(directory, "kept"), other, { recursive: true });
    await rm(join(directory, "kept"), { recursive: true });
    const before = await files();
    stack = new SetUnderTest(sessions);
    assert.deepEqual(await stack.settle(months("exported")), ["export:events_2026_01"]);
    const after = await files();
    assert.deepEqual(
      before.filter((file) => !after.includes(file)),
      [],
    );
  });

  for (const [title, text] of Object.entries({
    "of a format that this version does not know": (manifest: Manifest) =>
      manifestText({ ...manifest, format: manifest.format + 1 }),
    "that somebody else has written": () => '{"partitions": ["events_2026_01"]}',
    "of another partition": (manifest: Manifest) =>
      manifestText({ ...manifest, partition: { ...manifest.partition, name: "events_2026_02" } }),
  }))
    it(`a manifest ${title} stands for nothing: nothing goes because of it, it stays, and keeps no other partition`, async () => {
      const both = { asOf: "2026-04" };
      await stack.settle(months("exported", both));
      const before = await content("events_2026_01");
      const { path, manifest } = await manifestOf("events_2026_01");
      const newer = join(dirname(dirname(path)), `${manifest.partition.oid}.7`, "manifest.json");
      await put(newer, text(manifest));
      const others = ["detach:events_2026_02", "drop:events_2026_02"];
      for (const tier of ["exported", "archived"]) {
        const { done, failed } = await stack.up(months(tier, both));
        assert.deepEqual(done, tier === "exported" ? [] : others);
        assert.equal(failed.length, 1);
        assert.match(failed.join(), /^export:events_2026_01: .*\.7\/manifest\.json.* manifest/);
        assert.deepEqual(await content("events_2026_01"), before);
      }
      assert.equal(await readFile(newer, "utf8"), text(manifest));
      await rm(dirname(newer), { recursive: true });
      await stack.settle(months("archived", both));
    });

  it("tables of similar names, rows and bounds keep theirs, attached or not, when partitions go and come back", async () => {
    await client.query(`CREATE SCHEMA other;
      CREATE TABLE other.events (LIKE events) PARTITION BY RANGE (at);
      CREATE TABLE other.events_2026_01 PARTITION OF other.events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
      CREATE TABLE events_payments (LIKE events) PARTITION BY RANGE (at);
      CREATE TABLE events_payments_2026_01 PARTITION OF events_payments FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
      CREATE TABLE events_p_archive_backup AS TABLE events_2026_01; CREATE TABLE events_2026_01_archive AS TABLE events_2026_01;
      INSERT INTO other.events TABLE events_2026_01; INSERT INTO events_payments TABLE events_2026_01`);
    const tables = ["other.events", "events_payments", "events_p_archive_backup", "events_2026_01_archive"];
    const state = async () => {
      const found: unknown[] = [];
      for (const table of tables) found.push(await oidOf(table), await content(table));
      return found;
    };
    const before = [await state(), await content()];
    await stack.settle(months("archived"));
    await stack.settle(months("archived", PINNED));
    assert.deepEqual([await state(), await content()], before);
  });

  /** January is exported, and then somebody does something by hand; what must be there afterwards. */
  const BY_HAND: Record<string, { sql: string; kept: string; rows: number }> = {
    "attached to another parent": {
      sql: `CREATE TABLE theirs (LIKE events) PARTITION BY RANGE (at); ALTER TABLE events DETACH PARTITION events_2026_01;
        ALTER TABLE theirs ATTACH PARTITION events_2026_01 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')`,
      kept: "theirs",
      rows: 310,
    },
    "attached to another parent, and made anew": {
      sql: `CREATE TABLE theirs (LIKE events) PARTITION BY RANGE (at); ALTER TABLE events DETACH PARTITION events_2026_01;
        ALTER TABLE events_2026_01 RENAME TO theirs_1;
        ALTER TABLE theirs ATTACH PARTITION theirs_1 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
        CREATE TABLE events_2026_01 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')`,
      kept: "theirs_1",
      rows: 310,
    },
  };
  for (const [title, { sql, kept, rows }] of Object.entries(BY_HAND))
    it(`a partition that was ${title} by hand stays where it is`, async () => {
      await stack.settle(months("exported"));
      const before = [await content("events_2026_01")];
      await client.query(sql);
      const oid = await oidOf(kept);
      await stack.up(months("archived"));
      await stack.up(months("archived"));
      assert.equal(await oidOf(kept), oid);
      assert.equal((await content(kept)).n, rows);
      assert.deepEqual([await content(kept)], before);
    });

  it("a partition that was detached and attached again by hand is the same, and needs no other copy", async () => {
    await stack.settle(months("exported"));
    const written = await files();
    await client.query(`ALTER TABLE events DETACH PARTITION events_2026_01;
      ALTER TABLE events ATTACH PARTITION events_2026_01 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')`);
    assert.deepEqual(await stack.settle(months("exported")), []);
    assert.deepEqual(await files(), written);
    const before = await content();
    await stack.settle(months("archived"));
    await stack.settle(months("archived", PINNED));
    assert.deepEqual(await content(), before);
  });

  it("a partition that was attached by hand with another bound, as the program says now, needs another copy", async () => {
    const program = (from: string) => ({
      table: "events",
      partitionBy: { range: { column: "at", type: "date" } },
      archive: { store: `file://${directory}` },
      partitions: {
        events_2026_01: { from, to: "2026-02-01", tier: "exported" },
        events_2026_02: { from: "2026-02-01", to: "2026-03-01" },
        events_2026_03: { from: "2026-03-01", to: "2026-04-01" },
      },
    });
    await stack.settle(program("2026-01-01"));
    await client.query(`ALTER TABLE events DETACH PARTITION events_2026_01;
      ALTER TABLE events ATTACH PARTITION events_2026_01 FOR VALUES FROM ('2025-12-01') TO ('2026-02-01')`);
    assert.deepEqual(await stack.settle(program("2025-12-01")), ["export:events_2026_01"]);
    assert.equal((await manifests("events_2026_01")).length, 2);
  });

  it("a table that was made anew under a partition's name is not exported by the copy of the former one", async () => {
    await stack.settle(months("exported"));
    const former = await manifests("events_2026_01");
    await client.query(`DROP TABLE events_2026_01;
      CREATE TABLE events_2026_01 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
      INSERT INTO events SELECT i, '2026-01-03', 'other' FROM generate_series(1, 310) AS i`);
    const { done } = await stack.up(months("exported"));
    assert.deepEqual(done, ["export:events_2026_01"]);
    const now = await manifests("events_2026_01");
    assert.equal(now.length, former.length + 1);
    assert.ok(former.every((path) => now.includes(path)));
  });

  it("a table in the place and under the name of an archived one is left alone", async () => {
    await stack.settle(months("archived"));
    await client.query("CREATE TABLE theirs AS TABLE events; ALTER TABLE theirs RENAME TO events_2026_01");
    const oid = await oidOf("events_2026_01");
    const before = await content("events_2026_01");
    const { done, findings } = await stack.up(months("archived"));
    assert.deepEqual(done, []);
    assert.match(findings.join("\n"), /has the name of a partition that is archived, but the state does not know it/);
    const pinned = await stack.up(months("archived", PINNED));
    assert.deepEqual(pinned.done, []);
    assert.deepEqual([await oidOf("events_2026_01"), await content("events_2026_01")], [oid, before]);
  });

  /** What the archive and the state would be if PostgreSQL had given the OID of one table to another. */
  async function reuse(partition: string, oid: number): Promise<void> {
    const { path, manifest } = await manifestOf(partition);
    const was = manifest.partition.oid;
    const to = join(dirname(dirname(path)), `${oid}.${manifest.generation}`);
    await rename(dirname(path), to);
    const moved = (text: string) =>
      text
        .replaceAll(`/${was}.${manifest.generation}/`, `/${oid}.${manifest.generation}/`)
        .replaceAll(new RegExp(`(?<="(?:oid|${partition})": ?)${was}\\b`, "g"), String(oid));
    const { sha256: _, ...content } = JSON.parse(moved(JSON.stringify(manifest)));
    await writeFile(join(to, "manifest.json"), manifestText(content));
    stack.outputs = JSON.parse(moved(JSON.stringify(stack.outputs)));
  }

  it("the copy of a table whose OID a partition of another month has now is not that one's, and still brings back its own", async () => {
    const before = await content();
    await stack.settle(months("archived"));
    const march = await oidOf("events_2026_03");
    assert.ok(march);
    await reuse("events_2026_01", march);
    assert.deepEqual(await stack.settle(months("archived")), []);
    assert.equal(await oidOf("events_2026_03"), march);
    await stack.settle(
      months("exported", { asOf: "2026-04", lifecycle: [{ after: "0 months", tier: "exported" }], ...PINNED }),
    );
    assert.deepEqual(await content(), before);
    assert.equal((await manifests("events_2026_03")).length, 1, "March has a copy of its own");
    assert.equal(await oidOf("events_2026_03"), march);
  });
});
