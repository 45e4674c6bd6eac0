import { CustomResource, type CustomResourceOptions, type Input, type Output } from "@pulumi/pulumi";
import type { Identity, IndexColumn } from "./types";

export interface IndexArgs {
  /** Schema of the table and the index. Default: `public`. */
  schema?: Input<string>;
  /** Name of the partitioned table. */
  table: Input<string>;
  /** Index name, case kept. Another name renames the index and builds nothing; its parts keep theirs. */
  name: Input<string>;
  columns: Input<Input<string | IndexColumn>[]>;
  /** Then the partition key columns of every level must be among the columns. Default: false. */
  unique?: Input<boolean>;
  /** Access method. Default: btree. */
  method?: Input<string>;
  include?: Input<Input<string>[]>;
  /** Predicate of a partial index. */
  where?: Input<string>;
  /** NULLS NOT DISTINCT, PostgreSQL 15 and later. Default: false. */
  nullsNotDistinct?: Input<boolean>;
  /** Storage parameters by name: `{fillfactor: 70}`. A change builds the index anew. */
  storage?: Input<Record<string, string | number | boolean>>;
  /** Default: PostgreSQL's choice, which is then not compared. A change builds the index anew. */
  tablespace?: Input<string>;
  /** Accepts a deliberate move to the cluster, database and table that a refused operation named. */
  acceptIdentity?: Input<string>;
}

/** An index on a partitioned table and on all its partitions, built without blocking writers. */
export class Index extends CustomResource {
  declare readonly schema: Output<string>;
  declare readonly table: Output<string>;
  declare readonly name: Output<string>;
  /** Partitions whose part is missing or not valid, as the last `up` or `refresh` saw it. */
  declare readonly incomplete: Output<Record<string, string>>;
  declare readonly identity: Output<Identity | undefined>;

  constructor(name: string, args: IndexArgs, options?: CustomResourceOptions) {
    super(
      "pgpartition:index:Index",
      name,
      { schema: undefined, incomplete: undefined, identity: undefined, ...args },
      options,
    );
  }
}
