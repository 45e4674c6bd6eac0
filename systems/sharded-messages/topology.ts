/**
 * Direct messages, spread over 16 partitions by the pair of users. The primary key contains both key columns, because
 * PostgreSQL enforces uniqueness partition by partition.
 */
import type { PartitionedTableArgs } from "../../components";
import { guards, type Surroundings } from "../environment";

/** `messages`. */
export function shardedMessages(environment: Surroundings) {
  return {
    ...guards(environment),
    table: "messages",
    partitionBy: { hash: { columns: ["sender_id", "receiver_id"], partitions: 16 } },
    columns: [
      { name: "id", type: "uuid" },
      { name: "sender_id", type: "text" },
      { name: "receiver_id", type: "text" },
      { name: "content", type: "text" },
      { name: "created_at", type: "timestamptz" },
      {
        name: "shard_id",
        type: "integer",
        generated: { expression: "public.calculate_shard_id(sender_id, receiver_id)", kind: "stored" },
        comment: "Normalised pair of users; not the number of the partition",
      },
    ],
    primaryKey: ["id", "sender_id", "receiver_id"],
    indexes: [{ name: "messages_pair_created_at_idx", columns: ["sender_id", "receiver_id", "created_at"] }],
  } satisfies PartitionedTableArgs;
}
