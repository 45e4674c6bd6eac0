import { CustomResource, type CustomResourceOptions, type Input, type Output } from "@pulumi/pulumi";
import type { Identity, PartitionBy, TableDefinition } from "./types";

export interface TableArgs extends TableDefinition {
  /** Default: `public`. */
  schema?: Input<string>;
  /** Table name, case kept. */
  name: Input<string>;
  /** Partition key; properties of the policy are ignored here. */
  partitionBy: Input<PartitionBy>;
  /** What `pulumi destroy` does while partitions hold rows. Default: `refuse`. */
  onDelete?: Input<"refuse" | "drop">;
  /** Accepts a deliberate move to the cluster, database and table that a refused operation named. */
  acceptIdentity?: Input<string>;
}

/** A partitioned parent table. An equal table that exists already is adopted without being touched. */
export class Table extends CustomResource {
  declare readonly schema: Output<string>;
  declare readonly name: Output<string>;
  declare readonly identity: Output<Identity | undefined>;

  constructor(name: string, args: TableArgs, options?: CustomResourceOptions) {
    super("pgpartition:index:Table", name, { schema: undefined, identity: undefined, ...args }, options);
  }
}
