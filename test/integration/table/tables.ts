/** Tables of the systems this product must run, as a program declares them, and what they stand on. */
import assert from "node:assert/strict";
import type { DeclaredTable } from "../../../topology/table/model";
import { checkTable } from "../../../topology/table/validate";

/** The declaration in its normal form; fails the test when it is refused. */
export function declared(raw: Record<string, unknown>): DeclaredTable {
  const { table, failures } = checkTable(raw);
  assert.deepEqual(failures, []);
  assert.ok(table);
  return table;
}

export const PREREQUISITES = `
  CREATE TYPE messagerole AS ENUM ('user', 'assistant', 'system');
  CREATE TABLE users (id uuid PRIMARY KEY);
  CREATE TABLE tasks (id uuid PRIMARY KEY);
  CREATE TABLE other_tasks (id uuid PRIMARY KEY);
  CREATE SEQUENCE ticket_numbers;
  CREATE FUNCTION calculate_shard_id(sender_id text, receiver_id text, num_shards int DEFAULT 16) RETURNS int
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT (hashtextextended(least(sender_id, receiver_id) || '|' || greatest(sender_id, receiver_id), 0) & 2147483647)::int % num_shards $$;`;

export const chatMessages = {
  name: "chat_messages",
  partitionBy: { range: { column: "created_at", type: "timestamp", every: "quarter" } },
  columns: [
    { name: "user_id", type: "uuid", nullable: false },
    { name: "task_id", type: "uuid" },
    { name: "session_id", type: "uuid", nullable: false },
    { name: "message_id", type: "varchar(36)" },
    { name: "role", type: "messagerole", nullable: false, default: "'user'" },
    { name: "content", type: "text", nullable: false, comment: "as the user sees it" },
    { name: "actions", type: "json" },
    { name: "parse_degraded", type: "boolean", default: "false" },
    { name: "tokens_used", type: "int4" },
    { name: "model_name", type: "varchar(100)" },
    { name: "id", type: "uuid" },
    { name: "created_at", type: "timestamp", default: "now()" },
    { name: "updated_at", type: "timestamp", nullable: false },
    { name: "deleted_at", type: "timestamp" },
  ],
  primaryKey: ["id", "created_at"],
  unique: [{ name: "chat_messages_message_id_key", columns: ["message_id", "created_at"] }],
  checks: [{ name: "tokens_positive", expression: "tokens_used >= 0 AND model_name in ('a', 'b')" }],
  foreignKeys: [
    { name: "chat_messages_task_id_fkey", columns: ["task_id"], references: { table: "tasks", columns: ["id"] } },
    {
      name: "chat_messages_user_id_fkey",
      columns: ["user_id"],
      references: { table: "users", columns: ["id"] },
      onDelete: "cascade",
    },
  ],
  indexes: [
    { name: "idx_chat_created_at", columns: [{ column: "created_at", order: "desc" }] },
    { name: "idx_chat_session_id", columns: ["session_id", "created_at"], include: ["role"] },
    { name: "idx_chat_user_id", columns: ["user_id"], where: "deleted_at is null" },
    { name: "idx_chat_model", columns: [{ expression: "lower(model_name)" }] },
  ],
  comment: "messages of all chats",
};

export const conversationMessage = {
  name: "ConversationMessage",
  partitionBy: { range: { column: "createdAt", every: "month" } },
  columns: [
    { name: "id", type: "text" },
    { name: "conversationId", type: "text", nullable: false, collation: "C" },
    { name: "direction", type: "text", nullable: false, default: "'inbound'" },
    { name: "createdAt", type: "timestamp(3)", default: "CURRENT_TIMESTAMP" },
    { name: "seenAt", type: "timestamptz(3)", statistics: 500 },
  ],
  primaryKey: { name: "ConversationMessage_pkey", columns: ["id", "createdAt"] },
  indexes: [
    {
      name: "ConversationMessage_conversationId_createdAt_idx",
      columns: ["conversationId", { column: "createdAt", order: "desc", nulls: "last" }],
    },
  ],
};

export const shardedMessages = {
  name: "messages",
  partitionBy: { hash: { columns: ["sender_id", "receiver_id"], partitions: 16 } },
  columns: [
    { name: "id", type: "uuid" },
    { name: "sender_id", type: "text" },
    { name: "receiver_id", type: "text" },
    { name: "content", type: "text" },
    { name: "created_at", type: "timestamptz" },
    { name: "shard_id", type: "int", generated: { expression: "calculate_shard_id(sender_id, receiver_id)" } },
  ],
  primaryKey: ["id", "sender_id", "receiver_id"],
};

/** Sequences in their three forms. */
export const tickets = {
  name: "tickets",
  partitionBy: { list: { column: "region" } },
  columns: [
    { name: "id", type: "bigint", identity: "always" },
    { name: "alias", type: "bigserial" },
    { name: "number", type: "int", default: "nextval('ticket_numbers')" },
    { name: "region", type: "char(2)", nullable: false },
    { name: "price", type: "decimal(10,2)", default: "0" },
    { name: "opened", type: "interval day to second(3)", default: "'1 day'" },
    { name: "tags", type: "text[]", default: "'{}'" },
  ],
  primaryKey: ["id", "region"],
  checks: [{ name: "price_positive", expression: "price > 0" }],
};

/** By a name for the test's title. */
export const SYSTEM_TABLES: Record<string, Record<string, unknown>> = {
  "chat_messages with enum, foreign keys, composite keys and indexes": chatMessages,
  "camelCase ConversationMessage": conversationMessage,
  "HASH with a generated column from a function": shardedMessages,
  "LIST with identity, serial and a foreign sequence": tickets,
};

/** 63 bytes in 23 characters. */
const LONGEST = `${"名".repeat(20)}gut`;

export const WEIRD_NAMES = [
  'has space and "quotes"',
  "it's; --",
  "select",
  "CamelCase",
  "таблица",
  LONGEST,
  "$1 %I \\ /*",
];
