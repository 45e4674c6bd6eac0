/**
 * An AI chat's messages, by quarter. `message_id` alone is no longer unique: PostgreSQL enforces uniqueness partition by
 * partition, so the constraint holds for `(message_id, created_at)`. Rows older than the window are in the DEFAULT
 * partition.
 */
import type { PartitionedTableArgs } from "../../components";
import { guards, type Surroundings, windowOf } from "../environment";

/** `chat_messages`. */
export function chatMessages(environment: Surroundings) {
  return {
    ...guards(environment),
    table: "chat_messages",
    partitionBy: { range: { column: "created_at", every: "quarter" } },
    asOf: environment.asOf,
    window: windowOf(environment.windows.chatMessages),
    defaultPartition: true,
    columns: [
      { name: "user_id", type: "uuid", nullable: false },
      { name: "task_id", type: "uuid" },
      { name: "session_id", type: "uuid", nullable: false },
      { name: "message_id", type: "varchar(36)" },
      { name: "role", type: "public.messagerole", nullable: false },
      { name: "content", type: "text", nullable: false },
      { name: "actions", type: "json" },
      { name: "parse_degraded", type: "boolean" },
      { name: "tokens_used", type: "integer" },
      { name: "model_name", type: "varchar(100)" },
      { name: "id", type: "uuid" },
      { name: "created_at", type: "timestamp" },
      { name: "updated_at", type: "timestamp", nullable: false },
      { name: "deleted_at", type: "timestamp" },
    ],
    primaryKey: ["id", "created_at"],
    unique: [{ name: "chat_messages_message_id_key", columns: ["message_id", "created_at"] }],
    foreignKeys: [
      { name: "chat_messages_task_id_fkey", columns: ["task_id"], references: { table: "tasks", columns: ["id"] } },
      { name: "chat_messages_user_id_fkey", columns: ["user_id"], references: { table: "users", columns: ["id"] } },
    ],
    indexes: [
      { name: "idx_chat_created_at", columns: ["created_at"] },
      { name: "idx_chat_session_id", columns: ["session_id"] },
      { name: "idx_chat_user_id", columns: ["user_id"] },
    ],
    comment: "Messages of all chats, by quarter",
  } satisfies PartitionedTableArgs;
}
