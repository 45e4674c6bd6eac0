/** What a set never gives up by accident: rows on destroy, partitions that are no longer declared, renamed resources. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { partitionsOf } from "../support/partitions";
import { describeOnNewest, type TestDatabase } from "../support/postgres";
import { type CommandResult, TestStack } from "../support/stack";

interface Options {
  /** First month of `shrinking`, and the regions of `regions`. */
  from?: string;
  regions?: Record<string, string[]>;
  /** Name of the resource that stands for the tables `filled` and `empty`. */
  prefix?: string;
  /** Number of partitions of `hashed`, and key column of `keyed`. */
  buckets?: number;
  key?: string;
  onDelete?: Record<string, string>;
}

const program = ({
  from = "2026-01",
  regions = { eu: ["de", "fr"], us: ["us"] },
  prefix = "",
  buckets = 2,
  key = "at",
  onDelete = {},
}: Options = {}) => `
const columns = [
  { name: "id", type: "bigint", nullable: false },
  { name: "at", type: "date", nullable: false },
  { name: "until", type: "date", nullable: false },
  { name: "region", type: "text", nullable: false },
];
const onDelete = ${JSON.stringify(onDelete)};
const table = (resource, table, args) =>
  new pgp.PartitionedTable(resource, { table, columns, onDelete: onDelete[table], ...args }, { provider });
const months = (from, key = "at") => ({
  partitionBy: { range: { column: key, every: "month" } }, window: { from, ahead: 1 }, asOf: "2026-02",
});
table("shrinking", "shrinking", months("${from}"));
table("regions", "regions", { partitionBy: { list: { column: "region", values: ${JSON.stringify(regions)} } } });
table("${prefix}filled", "filled", months("2026-01"));
table("${prefix}empty", "empty", months("2026-01"));
table("hashed", "hashed", { reorganize: "refuse", partitionBy: { hash: { columns: ["id"], partitions: ${buckets} } } });
table("keyed", "keyed", months("2026-01", "${key}"));
`;

const TABLES = ["shrinking", "regions", "filled", "empty", "hashed", "keyed"];
const FILLED = TABLES.filter((table) => table !== "empty");

describeOnNewest("what nobody gave up", (server) => {
  let database: TestDatabase;
  let stack: TestStack;
  let client: Client;
  let made: Record<string, Record<string, string>>;
  let renamed: CommandResult;

  const present = async () => {
    const found: Record<string, Record<string, string>> = {};
    for (const table of TABLES) found[table] = await partitionsOf(client, table);
    return found;
  };

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    stack = await TestStack.create({ database: database.connection, program: program() });
    await stack.mustUp();
    for (const table of FILLED) {
      await client.query(
        `INSERT INTO ${table} VALUES (1, '2026-01-05', '2026-01-05', 'de'), (2, '2026-02-05', '2026-02-05', 'us')`,
      );
    }
    made = await present();
    await stack.setProgram(program({ from: "2026-02", regions: { eu: ["de", "fr"] }, prefix: "renamed-" }));
    renamed = await stack.mustUp();
  });

  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  it("stays when a resource is renamed: the new one adopts the table, the old one is only forgotten", async () => {
    assert.match(renamed.output, /Nothing was deleted: renamed-empty stands for the same table now/);
    const now = await present();
    assert.deepEqual(now.filled, made.filled);
    assert.deepEqual(now.empty, made.empty);
    const { resources } = await stack.exportState();
    const sets = resources.map(({ urn }) => urn).filter((urn) => /Set::(renamed-)?(filled|empty)$/.test(urn));
    assert.deepEqual(sets.map((urn) => urn.split("::").at(-1)).sort(), ["renamed-empty", "renamed-filled"]);
  });

  it("stays when a window begins later or a LIST partition is not declared any more, and is reported", async () => {
    const now = await present();
    assert.deepEqual(now.shrinking, made.shrinking);
    assert.deepEqual(now.regions, made.regions);
    const lines = renamed.output.split("\n");
    for (const name of ["shrinking_2026_01", "regions_us"]) {
      assert.ok(
        lines.some((line) => line.includes(name) && line.includes("not declared")),
        renamed.output,
      );
    }
  });

  it("stays when another number of HASH partitions or another partition key is declared: both are refused where rows may not move", async () => {
    await stack.setProgram(program({ prefix: "renamed-", buckets: 4, key: "until" }));
    const refused = await stack.run(["up", "--yes", "--skip-preview", "--continue-on-error"]);
    assert.notEqual(refused.code, 0);
    assert.match(
      refused.output,
      /hashed_p0 \(mod 2 = 0\) holds rows that are declared elsewhere, and reorganize is "refuse"/,
    );
    assert.match(refused.output, /partitionBy: The table is partitioned by RANGE \(at\), declared is RANGE \(until\)/);
    assert.deepEqual(await present(), made);
  });

  it("stays when the stack is destroyed while there are rows; the tables are named", async () => {
    const refused = await stack.run(["destroy", "--yes", "--skip-preview", "--continue-on-error"]);
    assert.notEqual(refused.code, 0);
    for (const table of FILLED) {
      assert.match(refused.output, new RegExp(`Not deleted: \\d+ partition\\(s\\) hold rows \\("public"\\."${table}_`));
    }
    const { empty, ...others } = await present();
    assert.deepEqual(empty, {});
    assert.deepEqual(others, Object.fromEntries(FILLED.map((table) => [table, made[table]])));
  });

  it("is kept beside the parent or dropped when onDelete says so", async () => {
    const onDelete = { shrinking: "detach", filled: "detach", regions: "drop", hashed: "drop", keyed: "drop" };
    await stack.setProgram(program({ prefix: "renamed-", onDelete }));
    await stack.mustUp();
    const destroyed = await stack.destroy();
    assert.equal(destroyed.code, 0, destroyed.output);
    const { rows } = await client.query(
      "SELECT relname::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1",
    );
    assert.deepEqual(
      rows.map(({ name }) => name),
      [...Object.keys(made.filled ?? {}), ...Object.keys(made.shrinking ?? {})].sort(),
    );
    const kept = await client.query("SELECT count(*)::int AS rows FROM filled_2026_01");
    assert.equal(kept.rows[0].rows, 1);
  });
});
