/** Resource type token → handler. */
import type { ResourceHandler } from "./handler";
import { indexHandler } from "./index/handler";
import { partitionHandler } from "./partition/handler";
import { partitionSetHandler } from "./partitionSet/handler";
import { tableHandler } from "./table/handler";

export const HANDLERS: Readonly<Record<string, ResourceHandler>> = {
  "pgpartition:index:Table": tableHandler,
  "pgpartition:index:PartitionSet": partitionSetHandler,
  "pgpartition:index:Partition": partitionHandler,
  "pgpartition:index:Index": indexHandler,
};
