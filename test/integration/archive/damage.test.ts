/** Whatever happens to the objects of an export: the proof accepts it only when its rows can be had back exactly. */
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import fc from "fast-check";
import { type Exported, exportPartition } from "../../../archive/export";
import { manifestText, parseManifest, partsIn } from "../../../archive/manifest";
import { readRows } from "../../../archive/object";
import { proveTable } from "../../../archive/proof";
import { FileStore } from "../../../archive/stores/file";
import { type Session, Sessions } from "../../../postgres/connection";
import { ArchiveError } from "../../../postgres/errors";
import { describeOnNewest, type TestDatabase } from "../../support/postgres";
import { EVENTS, january, keysIn, originOf, PART_BLOCKS } from "./support";

const JANUARY = "public.events_2024_01";

/** Something that becomes of a file; true: its content is another one. */
interface Damage {
  title: string;
  run(files: { of(at: number): string; count: number }): Promise<boolean>;
}

const at = fc.nat(10_000);

const bytes = (title: string, change: (content: Buffer) => Buffer) => (file: number) => ({
  title: `${title} of ${file}`,
  run: async ({ of }: { of(at: number): string }) => {
    const path = of(file);
    const before = await readFile(path);
    const after = change(before);
    await writeFile(path, after);
    return !after.equals(before);
  },
});

const flipped = fc.tuple(at, at, fc.integer({ min: 1, max: 255 })).map(
  ([file, place, bits]): Damage =>
    bytes(`byte ${place}`, (content) => {
      const damaged = Buffer.from(content);
      const where = (place * 7_919) % content.length;
      damaged[where] = (damaged[where] ?? 0) ^ bits;
      return damaged;
    })(file),
);
const cut = fc
  .tuple(at, at)
  .map(
    ([file, length]): Damage =>
      bytes("the end", (content) => content.subarray(0, (length * 7_919) % content.length))(file),
  );
const longer = fc
  .tuple(at, fc.uint8Array({ minLength: 1, maxLength: 40 }))
  .map(([file, more]): Damage => bytes("more", (content) => Buffer.concat([content, more]))(file));
const twice = at.map((file): Damage => bytes("twice", (content) => Buffer.concat([content, content]))(file));
const exchanged = fc.tuple(at, at).map(
  ([one, other]): Damage => ({
    title: `${one} and ${other} change places`,
    run: async ({ of }) => {
      const [a, b] = [of(one), of(other)];
      if (a === b) return false;
      const contents = [await readFile(a), await readFile(b)] as const;
      await writeFile(a, contents[1]);
      await writeFile(b, contents[0]);
      return !contents[0].equals(contents[1]);
    },
  }),
);
const gone = at.map(
  (file): Damage => ({
    title: `${file} is gone`,
    run: async ({ of }) => rename(of(file), `${of(file)}.away`).then(() => true),
  }),
);
const clocked = fc.tuple(at, fc.date({ min: new Date(0), max: new Date("2100-01-01"), noInvalidDate: true })).map(
  ([file, when]): Damage => ({
    title: `${file} was written ${when.toISOString()}`,
    run: async ({ of }) => utimes(of(file), when, when).then(() => false),
  }),
);

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Changes, takes away or repeats one value somewhere in a manifest, whoever adds up its SHA-256 again. */
const claimed = fc.tuple(at, fc.constantFrom("other", "gone", "twice", "swapped"), fc.boolean());

function changed(manifest: Json, place: number, how: string): void {
  const places: [holder: Json[] | { [key: string]: Json }, key: string | number][] = [];
  const walk = (value: Json): void => {
    if (value === null || typeof value !== "object") return;
    for (const key of Object.keys(value)) {
      places.push([value as { [key: string]: Json }, key]);
      walk((value as { [key: string]: Json })[key]!);
    }
  };
  walk(manifest);
  const [holder, key] = places[place % places.length] as [{ [key: string]: Json }, string];
  const [there, from] = places[(place * 31) % places.length] as [{ [key: string]: Json }, string];
  const value = holder[key]!;
  if (how === "gone") Array.isArray(holder) ? holder.splice(Number(key), 1) : delete holder[key];
  else if (how === "twice" && Array.isArray(holder)) holder.push(value);
  else if (how === "swapped") holder[key] = structuredClone(there[from]!);
  else if (typeof value === "number") holder[key] = value + 1;
  else if (typeof value === "string") holder[key] = value.replace(/.$/, (last) => (last === "0" ? "1" : "0")) || "more";
}

describeOnNewest("an archive that something has happened to", (server) => {
  let database: TestDatabase;
  let sessions: Sessions;
  let original: string;
  let directory: string;
  let exported: Exported;
  let rows: string[];

  before(async () => {
    database = await server().createDatabase();
    const client = await database.client();
    await client.query(EVENTS);
    await client.query("ALTER TABLE events DETACH PARTITION events_2024_01");
    const { user: username, ...rest } = database.connection;
    sessions = new Sessions({ ...rest, username });
    original = await mkdtemp(join(tmpdir(), "archive-test-"));
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    await sessions.withSession(async (session) => {
      const options = { store: new FileStore(original), origin: await originOf(session), partBlocks: PART_BLOCKS };
      exported = await exportPartition(session, await january(session), options);
    });
    rows = await rowsOf(original, partsIn(exported.manifest));
    assert.ok(partsIn(exported.manifest).length > 2);
  });
  after(async () => {
    await sessions.close();
    await database.drop();
    for (const place of [original, directory]) await rm(place, { recursive: true });
  });
  beforeEach(fresh);

  async function fresh(): Promise<void> {
    await rm(directory, { recursive: true });
    await cp(original, directory, { recursive: true });
  }

  async function rowsOf(place: string, parts: ReturnType<typeof partsIn>): Promise<string[]> {
    const found: string[] = [];
    for (const part of parts) found.push(...(await text(await readRows(new FileStore(place), part))).split("\n"));
    return found.sort();
  }

  /** Undefined: it holds. */
  async function refusal(session: Session): Promise<ArchiveError | undefined> {
    const { manifest, stored } = exported;
    const table = { schema: "public", name: "events_2024_01", oid: manifest.partition.oid };
    const claimed = { origin: manifest.origin, manifest: stored };
    try {
      await session.transaction(async () => {
        await session.query(`LOCK TABLE ONLY ${JANUARY} IN SHARE MODE`);
        await proveTable(session, new FileStore(directory), table, claimed);
      });
      return undefined;
    } catch (error) {
      if (error instanceof ArchiveError) return error;
      throw error;
    }
  }

  /** What the proof rests on: the manifest and what it names. Notes beside the objects are for exports that go on. */
  const named = () => [exported.stored.key, ...partsIn(exported.manifest).map(({ key }) => key)];

  it("is refused when a byte, a file or the place of one is another, and never when only notes and clocks are", async function () {
    this.timeout(0);
    const keys = await keysIn(original);
    const seen = { refused: 0, held: 0 };
    const damage = fc.oneof(flipped, cut, longer, twice, exchanged, gone, clocked);
    await sessions.withSession((session) =>
      fc.assert(
        fc
          .asyncProperty(fc.array(damage, { maxLength: 3 }), async (damages) => {
            const touched = new Set<string>();
            for (const one of damages) {
              const used: string[] = [];
              const of = (file: number) => {
                const key = keys[file % keys.length]!;
                used.push(key);
                return join(directory, ...key.split("/"));
              };
              // What is gone stays so.
              const hit = await one.run({ of, count: keys.length }).catch(() => false);
              if (hit) for (const key of used) touched.add(key);
            }
            let whole = true;
            for (const key of named()) {
              const path = (place: string) => join(place, ...key.split("/"));
              const now = await readFile(path(directory)).catch(() => undefined);
              whole &&= now?.equals(await readFile(path(original))) ?? false;
            }
            const refused = await refusal(session);
            const said = `${damages.map(({ title }) => title).join(", ")}: ${refused?.message ?? "it holds"}`;
            if (whole) assert.equal(refused, undefined, said);
            // White space in a manifest says nothing.
            else if (refused === undefined) {
              assert.deepEqual(
                [...touched].filter((key) => key.endsWith(".zst")),
                [],
                said,
              );
              const manifest = parseManifest(
                await readFile(join(directory, ...exported.stored.key.split("/")), "utf8"),
              );
              assert.deepEqual(manifest, exported.manifest, said);
            }
            seen[refused === undefined ? "held" : "refused"] += 1;
          })
          .beforeEach(fresh),
        { numRuns: 80 },
      ),
    );
    assert.ok(seen.refused > 20 && seen.held > 5, JSON.stringify(seen));
  });

  it("is refused when its manifest says something else of rows, even with the right SHA-256", async function () {
    this.timeout(0);
    const path = join(directory, ...exported.stored.key.split("/"));
    const seen = { refused: 0, held: 0 };
    await sessions.withSession((session) =>
      fc.assert(
        fc
          .asyncProperty(claimed, async ([place, how, summed]) => {
            const manifest = JSON.parse(JSON.stringify(exported.manifest));
            changed(manifest, place, how);
            const same = JSON.stringify(manifest) === JSON.stringify(exported.manifest);
            const { sha256 } = JSON.parse(await readFile(join(original, ...exported.stored.key.split("/")), "utf8"));
            await writeFile(path, summed ? manifestText(manifest) : JSON.stringify({ ...manifest, sha256 }));
            const refused = await refusal(session);
            seen[refused === undefined ? "held" : "refused"] += 1;
            if (same) assert.equal(refused, undefined);
            else if (!summed) assert.ok(refused, `${place} ${how}`);
            if (refused === undefined) {
              const said = parseManifest(await readFile(path, "utf8"));
              assert.deepEqual(await rowsOf(directory, partsIn(said)), rows, `${place} ${how}`);
              assert.deepEqual(
                [said.rows, said.hash, said.columns],
                [exported.manifest.rows, exported.manifest.hash, exported.manifest.columns],
              );
            }
          })
          .beforeEach(fresh),
        { numRuns: 130 },
      ),
    );
    assert.ok(seen.refused > 50 && seen.held > 5, JSON.stringify(seen));
  });
});
