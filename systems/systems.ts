/** The systems that this repository runs, in the order in which they are set up. */
import { chatMessageRows } from "./chat-messages/generate";
import { chatMessages } from "./chat-messages/topology";
import { conversationMessageRows, messageQueueRows } from "./church-messaging/generate";
import { conversationMessages, messageQueue } from "./church-messaging/topology";
import type { Surroundings } from "./environment";
import { regionalOrderRows } from "./regional-orders/generate";
import { regionalOrders } from "./regional-orders/topology";
import type { Generator } from "./rows";
import { shardedMessageRows } from "./sharded-messages/generate";
import { shardedMessages } from "./sharded-messages/topology";

/** One system: its folder beside this file, and the rows of its tables. */
export interface System {
  folder: string;
  rows: Generator[];
}

export const SYSTEMS: System[] = [
  { folder: "chat-messages", rows: [chatMessageRows] },
  { folder: "church-messaging", rows: [conversationMessageRows, messageQueueRows] },
  { folder: "sharded-messages", rows: [shardedMessageRows] },
  { folder: "regional-orders", rows: [regionalOrderRows] },
];

/** Arguments for one `PartitionedTable` each, by the name of table and resource. */
export function partitionedTables(environment: Surroundings) {
  return {
    chat_messages: chatMessages(environment),
    ConversationMessage: conversationMessages(environment),
    MessageQueue: messageQueue(environment),
    messages: shardedMessages(environment),
    orders: regionalOrders(environment),
  };
}
