import assert from "node:assert/strict";
import type { Client } from "pg";
import { withKeyType } from "../../components/keyType";
import { createTable } from "../../postgres/table/apply";
import { compareTable } from "../../postgres/table/compare";
import { readTable } from "../../postgres/table/read";
import type { PartitionBy } from "../../resources";
import { insertRows } from "../../systems/generate";
import { applyPrerequisites } from "../../systems/prerequisites";
import { partitionedTables } from "../../systems/systems";
import type { DesiredSet, PartitionBound } from "../../topology/model";
import { expand } from "../../topology/policy";
import type { DeclaredTable } from "../../topology/table/model";
import { checkTable } from "../../topology/table/validate";
import { describeOnEachPostgres, type TestDatabase } from "../support/postgres";

const ENVIRONMENT = {
  asOf: "2026-11",
  unmanaged: "refuse" as const,
  windows: {
    chatMessages: { from: "2025-01", ahead: 2 },
    conversationMessages: { from: "2026-01", ahead: 3, detachAfter: "8 months" },
    messageQueue: { from: "2026-10-05", ahead: 2, dropAfter: "2 weeks" },
  },
};

const TABLE_PROPERTIES = ["columns", "primaryKey", "unique", "checks", "foreignKeys", "indexes", "comment", "owner"];

/** The two resources that a `PartitionedTable` is made of, checked. */
function declare(args: Record<string, unknown>): { table: DeclaredTable; set: DesiredSet } {
  const { table: name, schema, partitionBy, ...rest } = args;
  const key = withKeyType(partitionBy as PartitionBy, args.columns as never);
  const own = Object.entries(rest).filter(([property]) => TABLE_PROPERTIES.includes(property));
  const policy = Object.entries(rest).filter(([property]) => !TABLE_PROPERTIES.includes(property));
  const checked = checkTable({ schema, name, partitionBy: key, ...Object.fromEntries(own) });
  const expanded = expand({ schema, table: name, partitionBy: key, ...Object.fromEntries(policy) });
  assert.deepEqual([...checked.failures, ...expanded.failures], []);
  return { table: checked.table!, set: expanded.desired! };
}

function boundSql(client: Client, bound: PartitionBound): string {
  const literal = (value: unknown) => (value === null ? "NULL" : client.escapeLiteral(String(value)));
  if ("from" in bound) return `FOR VALUES FROM (${literal(bound.from)}) TO (${literal(bound.to)})`;
  if ("values" in bound) return `FOR VALUES IN (${bound.values.map(literal).join(", ")})`;
  return "modulus" in bound ? `FOR VALUES WITH (MODULUS ${bound.modulus}, REMAINDER ${bound.remainder})` : "DEFAULT";
}

async function createLivePartitions(client: Client, set: DesiredSet): Promise<string[]> {
  const qualified = (name: string) => `${client.escapeIdentifier(set.schema)}.${client.escapeIdentifier(name)}`;
  const live = Object.entries(set.partitions).filter(([, { tier }]) => tier === "live");
  for (const [name, bound] of live) {
    await client.query(
      `CREATE TABLE ${qualified(name)} PARTITION OF ${qualified(set.table)} ${boundSql(client, bound)}`,
    );
  }
  return live.map(([name]) => name);
}

describeOnEachPostgres("the systems of this repository", (server) => {
  let database: TestDatabase;
  before(async () => {
    database = await server().createDatabase();
  });
  after(async () => {
    await database.drop();
  });

  it("have prerequisites, tables, partitions and rows that fit together, and can be set up twice", async () => {
    const client = await database.client();
    await applyPrerequisites(client);
    await applyPrerequisites(client);
    const names: string[] = [];
    const tables = Object.values(partitionedTables(ENVIRONMENT)).map((args) => declare({ ...args }));
    for (const { table, set } of tables) {
      await createTable(client, table);
      names.push(...(await createLivePartitions(client, set)));
    }
    const expected = ["chat_messages_2026_q4", "chat_messages_default", "conversation_message_2026_11", "messages_p15"];
    for (const name of [...expected, "message_queue_2026_w44", "orders_eu", "orders_default"]) {
      assert.ok(names.includes(name), `${name} in ${names.join(", ")}`);
    }

    const first = await insertRows(client, { asOf: ENVIRONMENT.asOf }, () => undefined);
    assert.deepEqual(
      first.map(({ rows }) => rows),
      [30_000, 30_000, 10_000, 20_000, 10_000],
    );
    const messages: string[] = [];
    const second = await insertRows(client, { asOf: ENVIRONMENT.asOf }, (message) => messages.push(message));
    assert.equal(
      second.reduce((sum, { rows }) => sum + rows, 0),
      0,
    );
    assert.equal(messages.length, second.length);

    const { rows } = await client.query(`
      SELECT (SELECT count(*)::int FROM chat_messages_default) AS old_chat,
             (SELECT count(DISTINCT tableoid)::int FROM messages) AS hash_partitions,
             (SELECT count(DISTINCT tableoid)::int FROM sales.orders) AS regions,
             (SELECT count(DISTINCT shard_id)::int FROM messages) AS shards,
             calculate_shard_id('a', 'b') = calculate_shard_id('b', 'a') AS both_directions`);
    assert.deepEqual(rows, [{ old_chat: 300, hash_partitions: 16, regions: 4, shards: 16, both_directions: true }]);
    for (const { table } of tables) {
      const actual = await readTable(client, table);
      assert.deepEqual(await compareTable(client, table, actual!), []);
    }
  });
});
