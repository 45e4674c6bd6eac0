/** A provider that is killed while it archives or restores: no row is lost or there twice, and the next update finishes. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import type { FaultPoint } from "../../../postgres/faults";
import type { Properties } from "../../../provider/values";
import { MAJORS } from "../../../tools/postgres";
import { ARCHIVED, contentOf, EXPORTED, Months, PINNED } from "../../support/months";
import {
  describeOnNewest,
  describeOnOldestAndNewest,
  type TestDatabase,
  type TestServer,
} from "../../support/postgres";
import { describeOnS3 } from "../../support/s3";
import { openForEachTest } from "../postgres/opened";

/** A run that is killed. Before it all months are live, and January has been in the archive. */
interface Phase {
  /** The archive is empty again. */
  fresh?: true;
  /** What was declared just before. */
  after?: Properties;
  /** What others have done then. */
  sql?: string;
  to: Properties;
}

const PHASES = {
  exports: { fresh: true, to: EXPORTED },
  archives: { fresh: true, to: ARCHIVED },
  restores: { after: ARCHIVED, to: PINNED },
  "archives what a pin has brought back": { to: ARCHIVED },
  "archives rows that were changed while a pin had them back": {
    sql: "UPDATE events SET payload = payload || 'y' WHERE id % 5 = 0; DELETE FROM events WHERE id % 31 = 0",
    to: ARCHIVED,
  },
} satisfies Record<string, Phase>;

const POINTS: FaultPoint[] = ["archive", "betweenStatements", "beforeCommit", "afterTransaction"];

const NEWEST = Math.max(...MAJORS);

/** Which passes through a point are tried: each costs a process and four runs. */
interface Passes {
  first: number;
  every: number;
}

/** All that are between two looks at the archive, in one place; of the others, and elsewhere, some of each kind. */
const SOME: Passes = { first: 1, every: 3 };
const OTHERS: Passes = { first: 2, every: 3 };
const passesOf = (point: FaultPoint, major: number): Passes =>
  point === "archive" && major === NEWEST ? { first: 1, every: 1 } : SOME;

const ROWS = `INSERT INTO events SELECT i, '2026-01-01'::date + i % 80, repeat('x', 200) FROM generate_series(1, 2000) AS i`;
const ALL_LIVE = { ...ARCHIVED, pins: [{ from: "2026-01", to: "2026-04" }] };

interface Place {
  /** An empty store. */
  store(): string;
  /** More arguments of the archive. */
  archive?: Properties;
  passes?: Passes;
}

/** Breaks each phase off at points of each kind: a process for each. */
function survives(
  server: () => TestServer,
  place: () => Place,
  phases: Partial<Record<keyof typeof PHASES, FaultPoint[]>>,
): void {
  let database: TestDatabase;
  let client: Client;
  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });

  const prepared = async (): Promise<Months> => {
    const { store, archive } = place();
    const months = new Months(database.connection, store(), { table: { primaryKey: ["id", "at"] }, archive });
    await months.up();
    await client.query(ROWS);
    await months.up(ARCHIVED);
    await months.up(ALL_LIVE);
    return months;
  };

  for (const [title, points] of Object.entries(phases))
    for (const point of points)
      it(`while it ${title}, at points of kind ${point}`, async function () {
        this.timeout(0);
        const { fresh, after, sql, to }: Phase = PHASES[title as keyof typeof PHASES];
        const months = await prepared();
        const { first, every } = place().passes ?? passesOf(point, server().major);
        for (let hit = first, killed = true; killed; hit += every) {
          if (fresh) months.store = place().store();
          if (sql !== undefined) await client.query(sql);
          const whole = await contentOf(client);
          if (after !== undefined) await months.up(after);
          killed = await months.killedAt(`${point}:${hit}`, to, client);
          assert.ok(killed || hit > first, "the point was never reached");
          await months.up(to);
          if (to !== PINNED) await months.up(ALL_LIVE);
          assert.deepEqual(await contentOf(client), whole, `${point}:${hit}`);
          assert.deepEqual(Object.values(months.tiers), ["live", "live", "live"]);
        }
      });
}

describe("kill -9 beside an archive in a directory", () => {
  let directory: string;
  let stores = 0;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    await writeFile(join(directory, "key"), randomBytes(32).toString("hex"));
  });
  afterEach(() => rm(directory, { recursive: true }));
  const store = () => `file://${directory}/${stores++}`;

  describeOnOldestAndNewest("which is survived", (server) =>
    survives(server, () => ({ store }), { archives: POINTS, restores: POINTS }),
  );
  describeOnNewest("which is survived", (server) =>
    survives(server, () => ({ store, passes: OTHERS }), {
      "archives what a pin has brought back": ["archive", "betweenStatements"],
      "archives rows that were changed while a pin had them back": ["archive"],
    }),
  );
  describeOnNewest("with encrypted rows, which is survived", (server) => {
    const archive = () => ({ encryption: { keyFile: join(directory, "key") } });
    survives(server, () => ({ store, archive: archive(), passes: SOME }), {
      exports: ["archive"],
      restores: ["archive"],
    });
  });
  describeOnNewest("with a Parquet copy, which is survived", (server) => {
    survives(server, () => ({ store, archive: { parquet: {} }, passes: OTHERS }), { archives: ["archive"] });
  });
});

describeOnS3("kill -9 beside an archive in a bucket", (s3) => {
  let bucket: string;
  let stores = 0;
  beforeEach(async () => {
    bucket = await s3().createBucket({ versioned: true });
  });
  const store = () => `s3://${bucket}/${stores++}?endpoint=${s3().endpoint}&region=${s3().region}`;

  describeOnNewest("which is survived", (server) =>
    survives(server, () => ({ store, passes: OTHERS }), {
      archives: ["archive", "betweenStatements"],
      restores: ["archive", "beforeCommit"],
      "archives rows that were changed while a pin had them back": ["archive"],
    }),
  );
});
