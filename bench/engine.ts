/**
 * `npm run bench:engine`: what a set of 1,000 partitions costs beyond the engine itself and beyond PostgreSQL itself.
 *
 * - no-op preview of the set ÷ no-op preview of a stack with one trivial resource whose state is as large (the floor);
 * - `up` of the set ÷ (the same DDL over one bare connection + `up` of the floor);
 * - the same for 100 partitions that are added to the 1,000, without and with a DEFAULT partition.
 *
 * Rivals run in turn in the same run, so that the ratios hold when the machine's speed drifts. BENCH_ROUNDS: default 5.
 */
import "../test/support/in-memory";

import { mkdir, writeFile } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { type TestDatabase, testServer } from "../test/support/postgres";
import { TestStack } from "../test/support/stack";
import { addDefault, addToLive, type Bounds, createFresh, createParent } from "./support/bareDdl";
import { median, table } from "./support/figures";
import { floorProgram, seconds } from "./support/floor";

/** Set by `test/support/in-memory` before anything else is imported. */
const inMemory = process.env.PGPARTITION_TEST_ROOT !== undefined;

const PARTITIONS = 1000;
const ADDED = 100;
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const PREVIEW_LIMIT = 1.5;
const UP_LIMIT = 1.3;

/** A partition for each day up to the day of `asOf` and `ahead` more. */
const setProgram = (ahead: number, defaultPartition: boolean) => `
new pgp.PartitionedTable("events", {
  columns: [
    { name: "id", type: "bigint", nullable: false },
    { name: "created_at", type: "timestamptz", nullable: false },
    { name: "payload", type: "text" },
  ],
  primaryKey: ["id", "created_at"],
  partitionBy: { range: { column: "created_at", every: "day" } },
  window: { from: "2024-01-01", ahead: ${ahead} },
  asOf: "2026-09-26",
  defaultPartition: ${defaultPartition},
}, { provider });
`;

/** Times of one round in seconds. */
interface Round {
  preview: number;
  floorPreview: number;
  up: number;
  bare: number;
  floorUp: number;
  added: Added;
  addedBesideDefault: Added;
}

interface Added {
  up: number;
  bare: number;
}

/** For the set, and for the same tables by hand. */
type Databases = [TestDatabase, TestDatabase];

/**
 * All databases are made before the first round: in one that is only seconds old the same DDL was seen to take up to
 * twice as long, and the rival that came first would be measured by that.
 */
async function createDatabases(rounds: number): Promise<Databases[]> {
  const server = await testServer(18);
  const pairs: Databases[] = [];
  for (let round = 0; round < rounds; round++)
    pairs.push([await server.createDatabase(), await server.createDatabase()]);
  return pairs;
}

/** One set, and beside it the same tables by hand. */
class Rivals {
  private constructor(
    private readonly stack: TestStack,
    private readonly database: TestDatabase,
    private readonly twin: TestDatabase,
  ) {}

  static async create([database, twin]: Databases): Promise<Rivals> {
    const stack = await TestStack.create({ database: database.connection, program: setProgram(0, false) });
    return new Rivals(stack, database, twin);
  }

  async round(): Promise<Round> {
    const noChanges = ["preview", "--expect-no-changes"];
    const up = await seconds(() => this.stack.mustUp());
    const outputs = await this.outputs(PARTITIONS);
    const bare = await seconds(async () => {
      await createParent(this.twin.connection);
      await createFresh(this.twin.connection, boundsOf(outputs));
    });
    const floor = await TestStack.create({ program: floorProgram(outputs) });
    const floorUp = await seconds(() => floor.mustUp());
    const preview = await seconds(() => this.stack.mustRun(noChanges));
    const floorPreview = await seconds(() => floor.mustRun(noChanges));
    await floor.remove();
    const added = await this.add(outputs, ADDED, false);
    await this.stack.setProgram(setProgram(ADDED, true));
    await this.stack.mustUp();
    await addDefault(this.twin.connection);
    const addedBesideDefault = await this.add(await this.outputs(PARTITIONS + ADDED + 1), 2 * ADDED, true);
    return { preview, floorPreview, up, bare, floorUp, added, addedBesideDefault };
  }

  /** `up` to `ahead` days more than there were at first, then by hand what it added. */
  private async add(before: Properties, ahead: number, hasDefault: boolean): Promise<Added> {
    await this.stack.setProgram(setProgram(ahead, hasDefault));
    const up = await seconds(() => this.stack.mustUp());
    const known = boundsOf(before);
    const all = Object.entries(boundsOf(await this.outputs(PARTITIONS + ahead + (hasDefault ? 1 : 0))));
    const added = Object.fromEntries(all.filter(([name]) => !Object.hasOwn(known, name)));
    const bare = await seconds(() => addToLive(this.twin.connection, added, hasDefault ? 1 : undefined));
    return { up, bare };
  }

  private async outputs(partitions: number): Promise<Properties> {
    const { resources } = await this.stack.exportState();
    const set = resources.find(({ type }) => type.endsWith(":PartitionSet"))?.outputs ?? {};
    const found = Object.keys(boundsOf(set)).length;
    if (found !== partitions) throw new Error(`${found} partitions, not ${partitions}: something else was measured`);
    return set;
  }

  async remove(): Promise<void> {
    await this.stack.remove();
    await this.database.drop();
    await this.twin.drop();
  }
}

type Properties = Record<string, unknown>;

function boundsOf(outputs: Properties): Bounds {
  return (outputs.partitions ?? {}) as Bounds;
}

type Row = { figure: string; values: number[] };

/** The figures of all rounds, and whether the limits hold. */
function results(rounds: Round[]): { fresh: Row[]; live: Row[]; kept: boolean } {
  const row = (figure: string, pick: (round: Round) => number): Row => ({ figure, values: rounds.map(pick) });
  const preview = row(`no-op preview ÷ floor (limit ${PREVIEW_LIMIT})`, (r) => r.preview / r.floorPreview);
  const up = row(`up ÷ (bare DDL + floor) (limit ${UP_LIMIT})`, (r) => r.up / (r.bare + r.floorUp));
  const fresh = [
    row("no-op preview, s", (r) => r.preview),
    row("no-op preview of the floor, s", (r) => r.floorPreview),
    preview,
    row("up, s", (r) => r.up),
    row("bare DDL over one connection, s", (r) => r.bare),
    row("up of the floor, s", (r) => r.floorUp),
    up,
  ];
  const live = (["added", "addedBesideDefault"] as const).flatMap((key) => {
    const where = key === "added" ? "without DEFAULT" : "with DEFAULT";
    return [
      row(`up, ${where}, s`, (r) => r[key].up),
      row(`bare LIKE + ATTACH, ${where}, s`, (r) => r[key].bare),
      row(`up ÷ (bare + up of the floor), ${where}`, (r) => r[key].up / (r[key].bare + r.floorUp)),
    ];
  });
  return { fresh, live, kept: median(preview.values) <= PREVIEW_LIMIT && median(up.values) <= UP_LIMIT };
}

async function main(): Promise<void> {
  const [load = 0] = loadavg();
  const rounds: Round[] = [];
  for (const [number, databases] of (await createDatabases(ROUNDS + 1)).entries()) {
    const rivals = await Rivals.create(databases);
    const figures = await rivals.round();
    await rivals.remove();
    if (number > 0) rounds.push(figures);
    const which = number === 0 ? "warm-up, not counted" : `round ${number} of ${ROUNDS}`;
    process.stderr.write(`${which}: ${JSON.stringify(figures)}\n`);
  }
  const { fresh, live, kept } = results(rounds);
  const text = [
    `# ${PARTITIONS} partitions through the engine`,
    "",
    `PostgreSQL 18, ${cpus().length} cores, load ${load.toFixed(1)} before the first of ${ROUNDS} rounds. Ratios are of the`,
    `same round; limits are of the median. Databases and stacks are ${inMemory ? "in memory" : "on disk"}.`,
    "",
    table(fresh),
    "",
    `## ${ADDED} more, on a parent in use`,
    "",
    table(live),
    "",
  ].join("\n");
  process.stdout.write(text);
  await mkdir(join(__dirname, "results"), { recursive: true });
  await writeFile(join(__dirname, "results", inMemory ? "engine.md" : "engine-on-disk.md"), text);
  if (!kept) process.exitCode = 1;
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    process.exit(1);
  },
);
