/** What a program imports: `import { PartitionedTable } from "pulumi-pgpartition"`. */
export * from "../resources";
export { PartitionedTable, type PartitionedTableArgs } from "./partitionedTable";
