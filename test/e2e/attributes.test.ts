/** Attributes of partitions changed by hand: refresh finds them, the preview shows them with their repair, up repairs. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { describeOnOldestAndNewest, type TestDatabase } from "../support/postgres";
import { type Preview, TestStack } from "../support/stack";

/** `events` has its first two months closed; nothing is declared about the storage of `plain`. */
const program = (asOf: string, children: Record<string, string> = {}) => `
const columns = [
  { name: "id", type: "bigint", nullable: false },
  { name: "at", type: "date", nullable: false },
  { name: "payload", type: "text", comment: "as declared" },
];
const monthly = { columns, asOf: ${JSON.stringify(asOf)}, partitionBy: { range: { column: "at", every: "month" } }, window: { from: "2026-01", ahead: 1 } };
new pgp.PartitionedTable("events", {
  ...monthly,
  storage: { live: { parameters: { fillfactor: 90 } }, closed: { parameters: { fillfactor: 100, autovacuum_freeze_min_age: 0 } } },
  children: { ...${JSON.stringify(children)}, comment: "{table}: {bound}" },
}, { provider });
new pgp.PartitionedTable("plain", monthly, { provider });
`;

const BY_HAND = `
  GRANT SELECT ON events_2026_02 TO PUBLIC;
  ALTER TABLE events_2026_03 SET (fillfactor = 50);
  ALTER TABLE events_2026_03 ENABLE ROW LEVEL SECURITY;
  COMMENT ON TABLE events_2026_01 IS 'by hand';
  COMMENT ON COLUMN events_2026_01.payload IS 'by hand';
  CREATE INDEX events_payload ON ONLY events (payload);
  ALTER TABLE plain_2026_01 SET (fillfactor = 60);`;

describeOnOldestAndNewest("attributes of partitions", (server) => {
  let database: TestDatabase;
  let client: Client;
  let stack: TestStack;

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    stack = await TestStack.create({ database: database.connection, program: program("2026-03") });
    await stack.mustUp();
  });

  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  const options = async (table: string): Promise<string[] | null> =>
    (await client.query("SELECT reloptions FROM pg_class WHERE oid = $1::regclass", [table])).rows[0].reloptions;

  const differences = (preview: Preview, table: string): string[] => {
    const step = preview.steps.find(({ urn }) => urn.endsWith(`$pgpartition:index:PartitionSet::${table}`));
    return Object.entries(step?.detailedDiff ?? {})
      .map(([path, { kind }]) => `${kind} ${path}`)
      .sort();
  };

  it("are as declared from the start, by tier", async () => {
    assert.deepEqual(await options("events_2026_02"), ["autovacuum_freeze_min_age=0", "fillfactor=100"]);
    assert.deepEqual(await options("events_2026_03"), ["fillfactor=90"]);
    assert.equal(await options("plain_2026_01"), null);
    const empty = await stack.run(["preview", "--refresh", "--expect-no-changes"]);
    assert.equal(empty.code, 0, empty.output);
  });

  it("changed by hand are found by refresh, shown with their repair, and repaired", async () => {
    await client.query(BY_HAND);
    await stack.mustRun(["refresh", "--yes", "--skip-preview"]);
    const preview = await stack.preview();
    assert.deepEqual(differences(preview, "events"), [
      "delete partitions.events_2026_01.differs.columnComments",
      "delete partitions.events_2026_01.differs.comment",
      "delete partitions.events_2026_01.differs.indexes",
      "delete partitions.events_2026_02.differs.grants",
      "delete partitions.events_2026_02.differs.indexes",
      "delete partitions.events_2026_03.differs.indexes",
      "delete partitions.events_2026_03.differs.rowSecurity",
      "delete partitions.events_2026_03.differs.storageParameters",
      "delete partitions.events_2026_04.differs.indexes",
    ]);
    assert.deepEqual(differences(preview, "plain"), []);
    const said = preview.diagnostics.map(({ message }) => message).join("\n");
    assert.match(said, /3 to adjust/);
    assert.match(said, /public\.events, index events_payload: 4 to build/);
    assert.match(said, /CREATE INDEX CONCURRENTLY "events_2026_01_payload" ON "public"\."events_2026_01"/);
    assert.match(said, /REVOKE SELECT ON TABLE "public"\."events_2026_02" FROM PUBLIC/);
    const state = await stack.exportState();
    assert.match(state.text, /"storageParameters": "storage parameters fillfactor: 50 instead of 90"/);
    assert.match(
      state.text,
      /"noticed": \{\s*"storageParameters": "storage parameters fillfactor: 60 instead of none"/,
    );
    await stack.mustUp();
    assert.deepEqual(await options("events_2026_03"), ["fillfactor=90"]);
    const empty = await stack.run(["preview", "--refresh", "--expect-no-changes"]);
    assert.equal(empty.code, 0, empty.output);
    assert.deepEqual(await options("plain_2026_01"), ["fillfactor=60"]);
  });

  it("a partition that closes is stored as closed ones are; a changed policy is carried out", async () => {
    await client.query("GRANT SELECT ON events TO PUBLIC");
    await stack.setProgram(program("2026-04", { grants: "none" }));
    await stack.mustUp();
    assert.deepEqual((await options("events_2026_03"))?.sort(), ["autovacuum_freeze_min_age=0", "fillfactor=100"]);
    const { rows } = await client.query(
      "SELECT relname FROM pg_class WHERE relname ~ '^events_' AND relacl::text ~ '[{,]='",
    );
    assert.deepEqual(rows, []);
    const empty = await stack.run(["preview", "--refresh", "--expect-no-changes"]);
    assert.equal(empty.code, 0, empty.output);
  });
});
