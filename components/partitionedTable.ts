import { all, ComponentResource, type ComponentResourceOptions, type Input, type Output, output } from "@pulumi/pulumi";
import type { ExplicitPartition, PartitionBy, PartitionPolicy, TableDefinition } from "../resources";
import { PartitionSet, Table } from "../resources";
import { currentPeriod } from "./asOf";
import { withKeyType } from "./keyType";

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
        asOf: all([policy.asOf, key]).apply(([asOf, by]) => asOf ?? defaultAsOf(by)) as Input<string>,
      },
      { parent: this },
    );

    this.table = this.parent.name;
    this.partitions = this.partitionSet.partitions;
    // Without `partitions`: the set's own outputs have them, and of a thousand a third copy makes the state half as large again.
    this.registerOutputs({ table: this.table });
  }
}

function defaultAsOf(partitionBy: PartitionBy): string | undefined {
  return "range" in partitionBy ? currentPeriod(partitionBy.range, new Date()) : undefined;
}
