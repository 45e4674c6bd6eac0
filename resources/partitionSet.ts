import { CustomResource, type CustomResourceOptions, type Input, type Output } from "@pulumi/pulumi";
import type { ArchivedCopy, ExplicitPartition, Identity, PartitionBy, PartitionPolicy } from "./types";

export interface PartitionSetArgs extends PartitionPolicy {
  /** Schema of the parent and of its partitions. Default: `public`. */
  schema?: Input<string>;
  /** Name of the partitioned parent. */
  table: Input<string>;
  /** Partition key and policy. */
  partitionBy: Input<PartitionBy>;
  /** What `pulumi destroy` does with partitions that hold rows. Default: `refuse`. */
  onDelete?: Input<"refuse" | "detach" | "drop">;
}

/** All partitions of one parent. The provider expands the policy into `partitions`, which is what is diffed. */
export class PartitionSet extends CustomResource {
  declare readonly schema: Output<string>;
  declare readonly table: Output<string>;
  /** The partitions there are, by name. */
  declare readonly partitions: Output<Record<string, ExplicitPartition>>;
  declare readonly identity: Output<Identity | undefined>;
  /** What the archive has of partitions whose tier is `exported` or `archived`, by name. Undefined: nothing. */
  declare readonly archives: Output<Record<string, ArchivedCopy> | undefined>;

  constructor(name: string, args: PartitionSetArgs, options?: CustomResourceOptions) {
    super(
      "pgpartition:index:PartitionSet",
      name,
      { schema: undefined, partitions: undefined, identity: undefined, archives: undefined, ...args },
      options,
    );
  }
}
