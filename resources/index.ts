export { Index, type IndexArgs } from "./indexOnTable";
export { PartitionSet, type PartitionSetArgs } from "./partitionSet";
export { Provider, type ProviderArgs } from "./provider";
export { Table, type TableArgs } from "./table";
export * from "./types";
