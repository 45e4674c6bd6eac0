/** Tables with keys of uuid v7, counted seconds and numeric that were there first; and an interval that changes later. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "pg";
import { partitionsOf } from "../support/partitions";
import { describeOnOldestAndNewest, type TestDatabase } from "../support/postgres";
import { type Preview, TestStack } from "../support/stack";

/** What stands in the database before the stack is heard of: two periods of each kind. */
const BY_HAND = `
  CREATE TABLE ids (id uuid NOT NULL, PRIMARY KEY (id)) PARTITION BY RANGE (id);
  CREATE TABLE ids_2026_01 PARTITION OF ids
    FOR VALUES FROM ('019b76da-a800-0000-0000-000000000000') TO ('019c167f-cc00-0000-0000-000000000000');
  CREATE TABLE ids_2026_02 PARTITION OF ids
    FOR VALUES FROM ('019c167f-cc00-0000-0000-000000000000') TO ('019ca6b1-dc00-0000-0000-000000000000');
  INSERT INTO ids VALUES ('019b76da-a800-7000-8000-000000000001');

  CREATE TABLE seconds (at bigint NOT NULL) PARTITION BY RANGE (at);
  CREATE TABLE seconds_2026_01 PARTITION OF seconds FOR VALUES FROM (1767225600) TO (1769904000);
  CREATE TABLE seconds_2026_02 PARTITION OF seconds FOR VALUES FROM (1769904000) TO (1772323200);

  CREATE TABLE cents (amount numeric(10,2) NOT NULL) PARTITION BY RANGE (amount);
  CREATE TABLE cents_0 PARTITION OF cents FOR VALUES FROM (0) TO (1000);
  CREATE TABLE cents_1000 PARTITION OF cents FOR VALUES FROM (1000) TO (2000);

  CREATE TABLE months (at timestamptz NOT NULL) PARTITION BY RANGE (at);
  CREATE TABLE months_2026_01 PARTITION OF months FOR VALUES FROM ('2026-01-01Z') TO ('2026-02-01Z');
  CREATE TABLE months_2026_02 PARTITION OF months FOR VALUES FROM ('2026-02-01Z') TO ('2026-03-01Z');
  INSERT INTO months VALUES ('2026-02-28 12:00Z');`;

const SETS = {
  ids: {
    partitionBy: { range: { column: "id", type: "uuid", every: "month" } },
    window: { from: "2026-01", ahead: 1 },
    asOf: "2026-01",
  },
  seconds: {
    partitionBy: { range: { column: "at", type: "bigint", every: "month", epoch: "seconds" } },
    window: { from: "2026-01", ahead: 1 },
    asOf: "2026-01",
  },
  cents: {
    partitionBy: { range: { column: "amount", type: "numeric(10,2)", every: 1000 } },
    window: { from: 0, ahead: 1 },
    asOf: 500,
  },
  months: {
    partitionBy: { range: { column: "at", type: "timestamptz", every: "month" } },
    window: { from: "2026-01", ahead: 1 },
    asOf: "2026-01",
  },
};

type SetName = keyof typeof SETS;

const NAMES = Object.keys(SETS) as SetName[];

/** Each set as its policy; `changed` replaces arguments. */
const program = (changed: Partial<Record<SetName, object>> = {}): string =>
  NAMES.map((table) => {
    const args = { table, ...SETS[table], ...changed[table] };
    return `new pgp.PartitionSet("${table}", ${JSON.stringify(args)}, { provider, protect: true });`;
  }).join("\n");

describeOnOldestAndNewest("tables with every kind of key that were there first", (server) => {
  let database: TestDatabase;
  let stack: TestStack;
  let client: Client;

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    await client.query(BY_HAND);
    stack = await TestStack.create({ database: database.connection, program: "" });
    await stack.mustUp();
    await importSets();
    await stack.setProgram(program());
  });

  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  async function importSets(): Promise<void> {
    const nameTable = { db: "urn:pulumi:test::e2e::pulumi:providers:pgpartition::db" };
    const resources = NAMES.map((name) => ({
      type: "pgpartition:index:PartitionSet",
      name,
      id: `${database.connection.database}/public.${name}`,
      provider: "db",
    }));
    const file = join(stack.directory, "import.json");
    await writeFile(file, JSON.stringify({ nameTable, resources }));
    await stack.mustRun(["import", "--file", file, "--yes", "--skip-preview", "--generate-code=false"]);
  }

  const changedIn = ({ steps }: Preview): Record<string, string[]> =>
    Object.fromEntries(
      steps
        .filter(({ op, urn }) => op !== "same" && op !== "refresh" && urn.includes("PartitionSet::"))
        .map(({ urn, detailedDiff }) => [urn.split("::").at(-1), Object.keys(detailedDiff ?? {}).sort()]),
    );

  it("are imported, and a program that says the same by policies changes no partition", async () => {
    const preview = await stack.preview();
    assert.equal(preview.code, 0, preview.output);
    assert.deepEqual(changedIn(preview), {});
    await stack.mustUp();
    const second = await stack.run(["preview", "--refresh", "--expect-no-changes"]);
    assert.equal(second.code, 0, second.output);
  });

  it("show in a refresh what was done by hand, which the next up puts right", async () => {
    await client.query(
      "DROP TABLE ids_2026_02; ALTER TABLE seconds DETACH PARTITION seconds_2026_02; DROP TABLE cents_1000",
    );
    const before = await partitionsOf(client, "months");
    const preview = await stack.preview("--refresh");
    assert.equal(preview.code, 0, preview.output);
    assert.deepEqual(changedIn(preview), {
      ids: ["partitions.ids_2026_02"],
      seconds: ["partitions.seconds_2026_02.tier"],
      cents: ["partitions.cents_1000"],
    });
    await stack.mustRun(["up", "--yes", "--skip-preview", "--refresh"]);
    for (const name of NAMES) assert.equal(Object.keys(await partitionsOf(client, name)).length, 2, name);
    assert.deepEqual(await partitionsOf(client, "months"), before);
    assert.deepEqual(await partitionsOf(client, "cents"), {
      cents_0: "FOR VALUES FROM (0.00) TO (1000.00)",
      cents_1000: "FOR VALUES FROM (1000.00) TO (2000.00)",
    });
  });

  it("go on with another interval from a date on, without a change of what is there", async () => {
    const changes = [{ from: "2026-03-01", every: "week" }];
    const weekly = (asOf: string, ahead: number) => {
      const set = (table: "ids" | "months") => {
        const { range } = SETS[table].partitionBy;
        return { partitionBy: { range: { ...range, changes } }, window: { from: "2026-01", ahead }, asOf };
      };
      return program({ ids: set("ids"), months: set("months") });
    };
    await stack.setProgram(weekly("2026-01", 1));
    assert.deepEqual(changedIn(await stack.preview()), {
      ids: ["partitionBy"],
      months: ["partitionBy"],
    });
    await stack.mustUp();
    const before = await partitionsOf(client, "months");
    await stack.setProgram(weekly("2026-02", 2));
    assert.deepEqual(changedIn(await stack.preview()), {
      ids: ["asOf", "partitions.ids_2026_w09", "partitions.ids_2026_w10", "window"],
      months: ["asOf", "partitions.months_2026_w09", "partitions.months_2026_w10", "window"],
    });
    await stack.mustUp();
    assert.deepEqual(await partitionsOf(client, "months"), {
      ...before,
      months_2026_w09: "FOR VALUES FROM ('2026-03-01 00:00:00+00') TO ('2026-03-02 00:00:00+00')",
      months_2026_w10: "FOR VALUES FROM ('2026-03-02 00:00:00+00') TO ('2026-03-09 00:00:00+00')",
    });
    const second = await stack.run(["preview", "--refresh", "--expect-no-changes"]);
    assert.equal(second.code, 0, second.output);
  });
});
