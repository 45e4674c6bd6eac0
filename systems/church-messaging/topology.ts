/**
 * A Prisma application: camelCase names, `timestamp(3)`. Conversations by month, whose old months are exported, leave the
 * database for the archive, and come back on demand; the queue by ISO week, whose old weeks are of no use to anybody and are
 * dropped whole.
 */
import type { PartitionedTableArgs } from "../../components";
import { guards, lifecycle, type Surroundings, windowOf } from "../environment";

/** `ConversationMessage`. */
export function conversationMessages({ store, ...environment }: Surroundings) {
  const window = environment.windows.conversationMessages;
  return {
    ...guards(environment),
    table: "ConversationMessage",
    partitionBy: { range: { column: "createdAt", every: "month" } },
    naming: "conversation_message_{yyyy}_{mm}",
    asOf: environment.asOf,
    window: windowOf(window),
    lifecycle: lifecycle(window),
    ...(window.pins && { pins: window.pins }),
    ...(store !== undefined && { archive: { store } }),
    columns: [
      { name: "id", type: "text" },
      { name: "conversationId", type: "text", nullable: false },
      { name: "direction", type: 'public."MessageDirection"', nullable: false },
      { name: "content", type: "text", nullable: false },
      { name: "status", type: "text", nullable: false, default: "'sent'" },
      { name: "createdAt", type: "timestamp(3)", default: "CURRENT_TIMESTAMP" },
    ],
    primaryKey: { name: "ConversationMessage_pkey", columns: ["id", "createdAt"] },
    foreignKeys: [
      {
        name: "ConversationMessage_conversationId_fkey",
        columns: ["conversationId"],
        references: { table: "Conversation", columns: ["id"] },
        onDelete: "cascade",
        onUpdate: "cascade",
      },
    ],
    indexes: [
      {
        name: "ConversationMessage_conversationId_createdAt_idx",
        columns: ["conversationId", { column: "createdAt", order: "desc" }],
      },
    ],
  } satisfies PartitionedTableArgs;
}

/** `MessageQueue`. */
export function messageQueue(environment: Surroundings) {
  const window = environment.windows.messageQueue;
  return {
    ...guards(environment),
    table: "MessageQueue",
    partitionBy: { range: { column: "createdAt", every: "week" } },
    naming: "message_queue_{iyyy}_w{iw}",
    asOf: environment.asOf,
    window: windowOf(window),
    lifecycle: lifecycle(window),
    columns: [
      { name: "id", type: "text" },
      { name: "churchId", type: "text", nullable: false },
      { name: "payload", type: "jsonb", nullable: false },
      { name: "status", type: 'public."QueueStatus"', nullable: false, default: "'pending'" },
      { name: "attempts", type: "integer", nullable: false, default: "0" },
      { name: "nextAttemptAt", type: "timestamp(3)" },
      { name: "createdAt", type: "timestamp(3)", default: "CURRENT_TIMESTAMP" },
    ],
    primaryKey: { name: "MessageQueue_pkey", columns: ["id", "createdAt"] },
    indexes: [
      {
        name: "MessageQueue_status_nextAttemptAt_idx",
        columns: ["status", "nextAttemptAt"],
        where: `"status" = 'pending'`,
      },
    ],
  } satisfies PartitionedTableArgs;
}
