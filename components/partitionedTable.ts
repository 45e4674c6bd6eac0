import { all, ComponentResource, type ComponentResourceOptions, type Input, type Output, output } from "@pulumi/pulumi";
import type { ExplicitPartition, PartitionBy, PartitionPolicy, SubPartitionBy, TableDefinition } from "../resources";
import { PartitionSet, Table } from "../resources";
import { withKeyType } from "./keyType";
import { defaultAsOf, withKeyTypes } from "./levels";

export interface PartitionedTableArgs extends TableDefinition, PartitionPolicy {
  /** Default: `public`. */
  schema?: Input<string>;
  /** Table name, case kept. Default: the name of the component. */
  table?: Input<string>;
  /** Partition key and policy. The key's `type` is taken from `columns`. */
  partitionBy: Input<PartitionBy>;
  /** What `pulumi destroy` does with partitions that hold rows. Default: `refuse`. */
  onDelete?: Input<"refuse" | "detach" | "drop">;
}

/**
 * A partitioned table with its partitions: what most programs need.
 *
 * `asOf`, when absent, is the current period, so a preview shows `asOf: 2026-11 → 2026-12` as the cause of new partitions.
 * With `subPartitionBy` it is the current period of the finest level.
 */
export class PartitionedTable extends ComponentResource {
  readonly parent: Table;
  readonly partitionSet: PartitionSet;
  readonly table: Output<string>;
  /** The partitions there are, by name. */
  readonly partitions: Output<Record<string, ExplicitPartition>>;

  constructor(name: string, args: PartitionedTableArgs, options?: ComponentResourceOptions) {
    super("pgpartition:index:PartitionedTable", name, {}, options);
    const { schema, table, partitionBy, onDelete, acceptIdentity } = args;
    const { columns, primaryKey, unique, checks, foreignKeys, indexes, comment, owner, ...policy } = args;
    const key = all([partitionBy, columns]).apply(([by, declared]) => withKeyType(by as PartitionBy, declared));
    const below = all([policy.subPartitionBy, columns]).apply(
      ([levels, declared]) => levels && withKeyTypes(levels as SubPartitionBy, declared),
    );

    this.parent = new Table(
      name,
      {
        schema,
        name: table ?? name,
        partitionBy: key,
        columns,
        primaryKey,
        unique,
        checks,
        foreignKeys,
        indexes,
        comment,
        owner,
        // A table without its partitions has no rows to refuse for; a set that detached them has none either.
        onDelete: output(onDelete).apply((mode) => (mode === "drop" ? "drop" : "refuse")),
        acceptIdentity,
      },
      { parent: this },
    );

    this.partitionSet = new PartitionSet(
      name,
      {
        ...policy,
        schema: this.parent.schema,
        table: this.parent.name,
        partitionBy: key,
        subPartitionBy: below as Input<SubPartitionBy>,
        asOf: all([policy.asOf, key, below]).apply(
          ([asOf, by, levels]) => asOf ?? defaultAsOf(by, levels, new Date()),
        ) as Input<string>,
      },
      { parent: this },
    );

    this.table = this.parent.name;
    this.partitions = this.partitionSet.partitions;
    // Without `partitions`: the set's own outputs have them, and of a thousand a third copy makes the state half as large again.
    this.registerOutputs({ table: this.table });
  }
}
