export { Index, type IndexArgs } from "./indexOnTable";
export { Partition, type PartitionArgs } from "./partition";
export { PartitionSet, type PartitionSetArgs } from "./partitionSet";
export { Provider, type ProviderArgs } from "./provider";
export { Table, type TableArgs } from "./table";
export * from "./types";
