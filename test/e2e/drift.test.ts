/**
 * Changes made by hand, all of them between one `up` and the next: each is found by refresh, shown by the preview, and
 * then put right or refused with a reason.
 */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { interruptDetach, partitionsOf } from "../support/partitions";
import { describeOnOldestAndNewest, type TestDatabase } from "../support/postgres";
import { type CommandResult, type Preview, TestStack } from "../support/stack";

/** `events`: months of 2026 and DEFAULT; `halves`, `lost` and `shape`: its first four months. */
const program = (adopt: string[] = []) => `
const columns = [
  { name: "id", type: "bigint", nullable: false },
  { name: "at", type: "date", nullable: false },
  { name: "payload", type: "text" },
];
const monthly = { columns, partitionBy: { range: { column: "at", every: "month" } }, window: { from: "2026-01", ahead: 3 } };
const table = (name, args) => new pgp.PartitionedTable(name, { ...monthly, asOf: "2026-01", ...args }, { provider });
table("events", { asOf: "2026-09", defaultPartition: true, adopt: ${JSON.stringify(adopt)} });
table("halves");
table("lost");
table("shape", {
  comment: "as declared",
  checks: [{ name: "shape_positive", expression: "id > 0" }],
  indexes: [{ name: "shape_payload", columns: ["payload"] }],
});
`;

const BY_HAND = `
  DROP TABLE events_2026_01;
  ALTER TABLE events DETACH PARTITION events_2026_02;
  ALTER TABLE events DETACH PARTITION events_2026_03;
  ALTER TABLE events ATTACH PARTITION events_2026_03 FOR VALUES FROM ('2026-03-01') TO ('2026-03-15');
  ALTER TABLE events_2026_04 RENAME TO events_april;
  ALTER TABLE events_2026_05 SET SCHEMA attic;
  ALTER TABLE events DETACH PARTITION events_2026_06;
  ALTER TABLE events_2026_06 RENAME TO events_june;
  DROP TABLE events_2026_07;
  CREATE TABLE events_2026_07 (LIKE events);
  INSERT INTO events_2026_07 SELECT g, '2026-07-04', 'of nobody' FROM generate_series(1, 3) g;
  ANALYZE events_2026_07;
  ALTER TABLE events DETACH PARTITION events_2026_08;
  ALTER TABLE events ATTACH PARTITION events_2026_08 FOR VALUES FROM ('2026-08-01') TO ('2026-08-15');
  ALTER TABLE events_2026_08 RENAME TO events_august;
  DROP TABLE events_default;
  CREATE TABLE by_hand PARTITION OF events FOR VALUES FROM ('2025-12-01') TO ('2026-01-01');
  DROP TABLE lost;
  ALTER TABLE shape DROP COLUMN payload;
  ALTER TABLE shape ADD COLUMN extra text;
  ALTER TABLE shape DROP CONSTRAINT shape_positive;
  COMMENT ON TABLE shape IS 'by hand';`;

/** The bound of each month of 2026, as PostgreSQL prints it, by the name of its partition. */
function months(table: string, first: number, last: number): Record<string, string> {
  const day = (month: number) => `${2026 + Math.floor((month - 1) / 12)}-${two(((month - 1) % 12) + 1)}-01`;
  const numbers = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  return Object.fromEntries(
    numbers.map((month) => [
      `${table}_2026_${two(month)}`,
      `FOR VALUES FROM ('${day(month)}') TO ('${day(month + 1)}')`,
    ]),
  );
}

const two = (number: number) => String(number).padStart(2, "0");

describeOnOldestAndNewest("changes made by hand", (server) => {
  let database: TestDatabase;
  let stack: TestStack;
  let client: Client;
  let preview: Preview;
  let up: CommandResult;

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    await client.query("CREATE SCHEMA attic");
    stack = await TestStack.create({ database: database.connection, program: program() });
    await stack.mustUp();
    await client.query(`
      INSERT INTO events SELECT g, make_date(2026, g, 5), 'kept' FROM generate_series(1, 12) g;
      INSERT INTO halves VALUES (1, '2026-02-05', 'kept');
      INSERT INTO shape VALUES (1, '2026-02-05', 'kept');`);
    await client.query(BY_HAND);
    await interruptDetach(() => database.client(), "halves", "halves_2026_02");
    const refresh = await stack.refresh();
    assert.equal(refresh.code, 0, refresh.output);
    preview = await stack.preview();
    up = await stack.run(["up", "--yes", "--skip-preview", "--continue-on-error"]);
  });

  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  const differences = (type: string, table: string): string[] => {
    const step = preview.steps.find(({ urn }) => urn.endsWith(`$pgpartition:index:${type}::${table}`));
    return Object.entries(step?.detailedDiff ?? {})
      .map(([path, { kind }]) => `${kind} ${path}`)
      .sort();
  };

  const said = (text: string) =>
    assert.ok(
      preview.diagnostics.some(({ message }) => message.includes(text)),
      `"${text}" is not in\n${preview.diagnostics.map(({ message }) => message).join("\n")}`,
    );

  const countOf = async (relation: string): Promise<number> =>
    (await client.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${relation}`)).rows[0]?.count ?? -1;

  it("are found by refresh and named one by one in the next preview", () => {
    assert.equal(preview.code, 0, preview.output);
    assert.deepEqual(differences("PartitionSet", "events"), [
      "add partitions.events_2026_01",
      "add partitions.events_2026_04",
      "add partitions.events_2026_05",
      "add partitions.events_2026_06",
      "add partitions.events_2026_07",
      "add partitions.events_2026_08",
      "add partitions.events_default",
      "delete partitions.events_april",
      "delete partitions.events_august",
      "delete partitions.events_june",
      'delete partitions["attic.events_2026_05"]',
      "update partitions.events_2026_02.tier",
      "update partitions.events_2026_03.to",
    ]);
    assert.deepEqual(differences("PartitionSet", "halves"), ["update partitions.halves_2026_02.tier"]);
    assert.deepEqual(differences("Table", "shape"), [
      "update checks[0]",
      "update columns[2]",
      "update comment",
      "update indexes[0]",
    ]);
    const made = preview.steps.filter(({ op, urn }) => op === "create" && /(Table|Set)::lost$/.test(urn));
    assert.equal(made.length, 2);
  });

  it("a dropped partition and a dropped DEFAULT are made again, empty", async () => {
    assert.equal(await countOf("events_2026_01"), 0);
    assert.equal((await partitionsOf(client, "events")).events_default, "DEFAULT");
  });

  it("a detached partition comes back with its rows, under another name or half detached as well", async () => {
    assert.equal(await countOf("events_2026_02"), 1);
    assert.equal(await countOf("events_2026_06"), 1);
    assert.equal(await countOf("halves"), 1);
    assert.deepEqual(await partitionsOf(client, "halves"), months("halves", 1, 4));
  });

  it("a partition with another bound, another name or in another schema becomes what is declared, with its rows", async () => {
    for (const month of ["03", "04", "05"]) assert.equal(await countOf(`events_2026_${month}`), 1);
  });

  it("a dropped parent is made again with its partitions", async () => {
    assert.deepEqual(await partitionsOf(client, "lost"), months("lost", 1, 4));
  });

  it("a partition attached by hand is reported and left alone", async () => {
    said("public.by_hand (2025-12-01 … 2026-01-01) is attached to public.events and is not declared");
    assert.ok("by_hand" in (await partitionsOf(client, "events")));
  });

  it("a table of a planned name that is no partition is shown with its shape and rows, and refused", async () => {
    said("public.events_2026_07 exists already and is not known as a partition (a table, about 3 rows");
    said("its shape fits). To attach it with its rows, list events_2026_07 in adopt");
    assert.match(
      up.output,
      /partitions\.events_2026_07 \(public\.events_2026_07\): public\.events_2026_07 exists already/,
    );
    assert.ok(!("events_2026_07" in (await partitionsOf(client, "events"))));
    assert.equal(await countOf("events_2026_07"), 3);
  });

  it("a partition with another name and another bound at once gets both back", async () => {
    said("rename events_2026_08");
    said("rebound events_2026_08");
    const { events_2026_08: bound } = await partitionsOf(client, "events");
    assert.equal(bound, months("events", 1, 12).events_2026_08);
  });

  it("a dropped column and a changed comment are put right; an undeclared column stays and is named", async () => {
    said('The column "extra" is not declared; it is left alone.');
    const { rows } = await client.query(`
      SELECT obj_description('shape'::regclass) AS comment, array_agg(attname::text ORDER BY attnum) AS columns
      FROM pg_attribute WHERE attrelid = 'shape'::regclass AND attnum > 0 AND NOT attisdropped`);
    assert.deepEqual(rows[0], { comment: "as declared", columns: ["id", "at", "extra", "payload"] });
  });

  it("a dropped check is there again, validated, and a dropped index is built again", async () => {
    const { rows } = await client.query(
      "SELECT DISTINCT convalidated FROM pg_constraint WHERE conname = 'shape_positive'",
    );
    assert.deepEqual(rows, [{ convalidated: true }]);
    const indexes = await client.query(
      "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('shape_payload')",
    );
    assert.deepEqual(indexes.rows, [{ indisvalid: true }]);
  });

  it("only what was refused is left in the preview after that up", async () => {
    assert.notEqual(up.code, 0);
    preview = await stack.preview();
    assert.deepEqual(differences("PartitionSet", "events"), ["add partitions.events_2026_07"]);
    assert.deepEqual(differences("Table", "shape"), []);
    const changed = preview.steps.filter(({ op, urn }) => op !== "same" && /(Table|PartitionSet)::/.test(urn));
    assert.equal(changed.length, 1, JSON.stringify(changed.map(({ op, urn }) => [op, urn])));
  });

  it("once that is declared, everything is as declared and nothing is left to do", async () => {
    await stack.setProgram(program(["events_2026_07"]));
    const last = await stack.run(["up", "--yes", "--skip-preview", "--refresh"]);
    assert.equal(last.code, 0, last.output);
    const empty = await stack.run(["preview", "--refresh", "--expect-no-changes"]);
    assert.equal(empty.code, 0, empty.output);
    const { by_hand: _, ...events } = await partitionsOf(client, "events");
    assert.deepEqual(events, { ...months("events", 1, 12), events_default: "DEFAULT" });
    assert.equal(await countOf("events_2026_07"), 3);
    for (const table of ["halves", "lost", "shape"]) {
      assert.deepEqual(await partitionsOf(client, table), months(table, 1, 4));
    }
  });
});
