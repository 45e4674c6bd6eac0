import { CustomResource, type CustomResourceOptions, type Input, type Output } from "@pulumi/pulumi";
import type { Archive, ArchivedCopy, Bound, Identity } from "./types";

export interface PartitionArgs {
  /** Schema of the parent. Default: `public`. */
  schema?: Input<string>;
  /** Name of the partitioned parent. */
  table: Input<string>;
  /** Name of the partition, case kept. */
  name: Input<string>;
  /**
   * Schema of the partition, in which it is made and to which it is moved (`ALTER TABLE … SET SCHEMA`). Default: the
   * parent's schema.
   */
  partitionSchema?: Input<string>;
  bound: Input<Bound>;
  /**
   * `exported`: attached, with a copy in the archive. `detached`: a table beside the parent. `archived`: in the archive only.
   * `dropped`: rows and table are given up. Default: `live`.
   */
  tier?: Input<"live" | "exported" | "detached" | "archived" | "dropped">;
  /** Where rows of tiers `exported` and `archived` are; needed by those. Default: none. */
  archive?: Input<Archive>;
  /** Whether an existing table of this name outside the parent may be attached. Default: false. */
  adopt?: Input<boolean>;
  /** What `pulumi destroy` does while the partition holds rows. Default: `refuse`. */
  onDelete?: Input<"refuse" | "detach" | "drop">;
  /** Accepts a deliberate move to the cluster, database and table that a refused operation named. */
  acceptIdentity?: Input<string>;
}

/** One partition on a parent that another stack owns, whose set is declared with `unmanaged: "ignore"`. */
export class Partition extends CustomResource {
  declare readonly schema: Output<string>;
  declare readonly table: Output<string>;
  declare readonly name: Output<string>;
  declare readonly identity: Output<Identity | undefined>;
  /** What the archive has of it, by its name. Undefined: nothing that its tier asks for. */
  declare readonly archives: Output<Record<string, ArchivedCopy> | undefined>;

  constructor(name: string, args: PartitionArgs, options?: CustomResourceOptions) {
    super(
      "pgpartition:index:Partition",
      name,
      { schema: undefined, identity: undefined, archives: undefined, ...args },
      options,
    );
  }
}
