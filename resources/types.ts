/** Arguments of the provider's resources, as a program writes them. All of it is plain data. */
import type { Input } from "@pulumi/pulumi";

/** `PARTITION BY RANGE`, with or without periods. */
export interface RangeBy {
  /** Key column. */
  column?: string;
  /** Key columns when there are several; every partition is then declared in `partitions`. */
  columns?: string[];
  /**
   * Type of the key column: `date`, `timestamp`, `timestamptz`, `smallint`, `integer`, `bigint`, `numeric(p,s)` or `uuid`
   * (version 7) for periods, any type with explicit `partitions`. `PartitionedTable` takes it from the declared columns.
   */
  type?: string;
  /** Types of several key columns, in their order. */
  types?: string[];
  /**
   * Length of a period: `hour`, `day`, `week` (ISO, from Monday), `month`, `quarter`, `year`, a multiple such as
   * `3 months`, or a number for keys of plain numbers.
   */
  every?: string | number;
  /** IANA time zone whose midnights bound the periods of keys that hold instants. Default: `UTC`. */
  timezone?: string;
  /** The number in the key counts `seconds` or `milliseconds` since 1970, so that its periods are those of a calendar. */
  epoch?: "seconds" | "milliseconds";
  /** A date on which a period begins, for multiples that should not start at the calendar's own origin. */
  anchor?: string;
  /** Where numeric periods start counting. Default: 0. */
  offset?: string | number;
  /** Other intervals from given dates on, in ascending order. */
  changes?: IntervalChange[];
}

/** Another interval from a date on. The period on either side of that date is cut there when it is no border of it. */
export interface IntervalChange {
  /** The first date (or number) of the new interval; later than the begin of the window. */
  from: string | number;
  /** Length of a period from then on. */
  every: string | number;
  /** As in `RangeBy`, for the new interval. Default: the calendar's own origin. */
  anchor?: string;
  /** As in `RangeBy`, for the new interval. Default: 0. */
  offset?: string | number;
  /** Name template or preset. Default: the preset of the set when it has one, else the default of the interval. */
  naming?: string;
}

/** `PARTITION BY LIST`. */
export interface ListBy {
  column: string;
  type?: string;
  /** Values of each partition, by the word that stands for `{value}` in its name. `null` is a value. */
  values?: Record<string, (string | number | boolean | null)[]>;
}

/** `PARTITION BY HASH`. */
export interface HashBy {
  /** Key columns in order. */
  columns: string[];
  /** Number of partitions, all of this modulus. */
  partitions?: number;
}

/** Partition key: exactly one of the three. */
export type PartitionBy = { range: RangeBy } | { list: ListBy } | { hash: HashBy };

/** Which periods exist. */
export interface Window {
  /** A date (or number) in the first period. Default: the period of `asOf` when the set was first created. */
  from?: string | number;
  /** Number of periods kept ready after the one of `asOf`. Default: 3. */
  ahead?: number;
}

/** What happens to a partition when it is old. */
export interface LifecycleRule {
  /** Age from the partition's upper bound to `asOf`, in calendar steps: `12 months`, `26 weeks`, `90 days`. */
  after: string | number;
  /**
   * `exported`: still attached, with a copy in the archive. `detached`: a table beside its parent. `archived`: in the archive
   * only. `dropped`: rows and table are given up; what is archived stays in the store, and is not spoken of any more.
   */
  tier: "exported" | "detached" | "archived" | "dropped";
}

/** Keeps the partitions of a range live whatever the lifecycle says; archived ones are restored. */
export interface Pin {
  from: string | number;
  /** End of the range, exclusive. */
  to: string | number;
  /** Until `asOf` reaches this date. Default: for ever. */
  until?: string | number;
  tier?: "live";
}

/** How every partition of a level is divided further: a policy of its own, down to three levels in all. */
export interface SubPartitionBy {
  /** Key of this level. */
  partitionBy: PartitionBy;
  /** Which periods exist in each of the tables. */
  window?: Window;
  /** Default: `asOf` of the level above. */
  asOf?: string | number;
  /** Tiers by age of this level's partitions. */
  lifecycle?: LifecycleRule[];
  /** Ranges of this level kept live. */
  pins?: Pin[];
  /** As in the set; `{table}` is the name of the partition above. */
  naming?: string | { partitions?: string; default?: string };
  /** Whether each of the tables has a DEFAULT partition. Default: false. */
  defaultPartition?: boolean;
  /** Schema of this level's partitions, and of those below it. Default: that of the table that they are partitions of. */
  partitionSchema?: string;
  /** As in the set, for each of the tables. */
  removed?: "live" | "detached" | "archived" | "dropped";
  /** The level below. */
  subPartitionBy?: SubPartitionBy;
}

/** Which rows a partition holds: exactly one form. */
export type Bound = Pick<ExplicitPartition, "from" | "to" | "values" | "modulus" | "remainder" | "default">;

/** One explicit partition: exactly one form of bound, and its tier (default `live`). */
export interface ExplicitPartition {
  /** Inclusive lower bound of a RANGE partition; `MINVALUE` for none. For uuid v7 and epoch keys a date will do. */
  from?: string | number | (string | number)[];
  /** Exclusive upper bound of a RANGE partition; `MAXVALUE` for none. */
  to?: string | number | (string | number)[];
  values?: (string | number | boolean | null)[];
  modulus?: number;
  remainder?: number;
  default?: boolean;
  tier?: "live" | "exported" | "detached" | "archived" | "dropped";
  /** Schema of the partition and, unless they say otherwise, of its own partitions. Default: `partitionSchema` of its level. */
  schema?: string;
  /** How the partition is divided further, when that is not what `subPartitionBy` says. */
  partitionBy?: PartitionBy;
  /** Its own partitions by name, beside those of `subPartitionBy`, or all of them with `partitionBy`. */
  partitions?: Record<string, ExplicitPartition>;
  /** As in the set, for the partitions of a LIST that `partitionBy` divides this one by. */
  removed?: "live" | "detached" | "archived" | "dropped";
  /**
   * True: an undivided table in spite of `subPartitionBy`; partitions that it has become one table with their rows. False: what
   * is below it is left to others, although an earlier update had divided it.
   */
  leaf?: boolean;
  /**
   * Expressions of the partition's own for stored generated columns, by column; its own partitions have them, too, unless
   * they say others. Names of functions and types outside pg_catalog need their schema. PostgreSQL 16 and later.
   */
  generated?: Record<string, string>;
}

/** Which cluster, database and table a state belongs to. */
export interface Identity {
  systemIdentifier: string;
  database: string;
  parentOid: number;
}

/** `parent`: as the parent has it. `report`: shown, not changed. `ignore`: not looked at. */
export type Inheritance = "parent" | "report" | "ignore";

/** How far partitions follow their parent. Default of each: `parent`, unless said otherwise. */
export interface Children {
  owner?: Inheritance;
  /** `none`: every right but the owner's is revoked, so that rows are reached through the parent only. */
  grants?: Inheritance | "none";
  /** Row level security and its policies. */
  rowSecurity?: Inheritance;
  replicaIdentity?: Inheritance;
  /** Publications that name a partition itself; `parent` takes it out of them. Default: `report`. */
  publications?: Inheritance;
  /** Whether the parent's triggers are enabled on partitions. */
  triggers?: Inheritance;
  /** Statistics targets, column options such as `n_distinct`, extended statistics. */
  statistics?: Inheritance;
  /** Comments of columns, and of the partition when `comment` is given. */
  comments?: Inheritance;
  /** Defaults, identity, generation expressions, storage and compression of columns. */
  columns?: Inheritance;
  /** Storage parameters, tablespace, access method and persistence. */
  storage?: Inheritance;
  /** Indexes of the parent that a partition has not, or not valid; they are built without blocking writers. */
  indexes?: Inheritance;
  /** Comment of every partition; `{table}`, `{partition}` and `{bound}` are filled in. Absent: comments are left alone. */
  comment?: string;
}

/** How the partitions of one tier are stored. */
export interface TierStorage {
  /** Storage parameters by PostgreSQL's names (`fillfactor`, `toast.autovacuum_enabled`); all others are reset. */
  parameters?: Record<string, string | number | boolean>;
  /** Partitions of up to 16 MB are moved in place, larger ones are copied beside the working application. */
  tablespace?: string;
  /** As `tablespace`; before PostgreSQL 15 partitions of any size are made anew. */
  accessMethod?: string;
}

/** Where the rows of tiers `exported` and `archived` go, and come back from. What S3 alone has is refused for a directory. */
export interface Archive {
  /**
   * `file:///directory` (of the machine that runs Pulumi), or `s3://bucket/prefix?region=eu-central-1`, also with `endpoint`,
   * `pathStyle=true` and `profile`; `store` of an `ArchiveBucket` is one. Credentials are found as by other tools of AWS.
   */
  store: Input<string>;
  /**
   * How rows are written. `text`: COPY text, which every PostgreSQL reads as it is. `csv`: with a header, NULL as an empty
   * field and the empty string as `""`; for people and other programs. What is archived already stays as it is. Default: `text`.
   */
  format?: Input<"text" | "csv">;
  /**
   * Encrypts rows before they leave the machine that runs Pulumi, with the AWS Encryption SDK (`npm install
   * @aws-crypto/client-node`). Manifests stay readable. What is archived already stays as it is. Default: none.
   */
  encryption?: Input<ArchiveEncryption>;
  /** Compression level of zstd, 1 to 19. Default: 3. */
  level?: Input<number>;
  /** Partitions exported at a time. Default: 2. */
  parallel?: Input<number>;
  /** Bytes of uncompressed rows a second, at most, of all exports and restores of the set together. Default: no limit. */
  bytesPerSecond?: Input<number>;
  /** Storage class of new objects in S3. Default: what the bucket has set. */
  storageClass?: Input<
    "STANDARD" | "STANDARD_IA" | "ONEZONE_IA" | "INTELLIGENT_TIERING" | "GLACIER_IR" | "GLACIER" | "DEEP_ARCHIVE"
  >;
  /** Encrypts new objects in S3 with this KMS key (SSE-KMS). Default: what the bucket has set. */
  kmsKeyId?: Input<string>;
  /** Tags of each object in S3. Default: none. */
  tags?: Input<Record<string, Input<string>>>;
  /** Object lock of each object in S3, in days from its writing. Default: what the bucket has set. */
  retention?: Input<{ mode: "GOVERNANCE" | "COMPLIANCE"; days: number }>;
  /**
   * Beside the rows as PostgreSQL's own text, a copy of each exported partition for Athena, DuckDB and others. It is never
   * what a restore or a DROP stands on. Default: none; `{}` is one with all defaults.
   */
  parquet?: Input<ArchiveParquet>;
  /**
   * `aws_s3`: the server itself writes the rows of new exports into the bucket, by the extension of that name of RDS and Aurora,
   * as text without compression. They are read from the store and proven as all others. Default: rows go over the connection.
   */
  serverSideExport?: Input<"aws_s3">;
}

/** A copy of exported partitions in Parquet, with one folder for each partition. */
export interface ArchiveParquet {
  /** URL as of the archive's `store`. Default: that one. */
  store?: Input<string>;
  /** Storage class of its objects in S3. Default: what the bucket has set. */
  storageClass?: Input<"STANDARD" | "STANDARD_IA" | "ONEZONE_IA" | "INTELLIGENT_TIERING" | "GLACIER_IR">;
  /**
   * By name, columns that are not stored by their type: `string` (PostgreSQL's own text), `decimal(precision,scale)` (a
   * numeric, each value of which has to fit) or `omit`. Needed for types that Parquet does not have; a value that it cannot
   * hold is an error of the export, and the partition stays where it is.
   */
  columns?: Input<Record<string, Input<string>>>;
}

/** A key of an archive: either of the two. */
export interface ArchiveKey {
  /** ARN of a key of AWS KMS, which never leaves it. */
  kmsKeyId?: Input<string>;
  /** Absolute path of a file, where the provider runs, with 64 hexadecimal digits (`openssl rand -hex 32`). */
  keyFile?: Input<string>;
}

/** The key that new objects are encrypted with. */
export interface ArchiveEncryption extends ArchiveKey {
  /** Keys that earlier objects were encrypted with: for reading only. Default: none. */
  former?: Input<Input<ArchiveKey>[]>;
}

/** Rows of a partition in the archive, as outputs tell of them. */
export interface ArchivedCopy {
  schema: string;
  name: string;
  /** OID of the table that was exported. */
  oid: number;
  /** Name of the partition that it is a partition of, when that is not the set's own table. */
  under?: string;
  /** Key of the manifest in the store, and the version of that object where the store has versions. */
  manifest: { key: string; version?: string };
  /** How its rows are written. */
  format: "text" | "csv";
  rows: number;
  /** Size of its objects. */
  bytes: number;
  /** The table is gone, and its rows are here: no other partition of that range is made before they are back. */
  only?: boolean;
  bound: Bound;
  /** True: the store had it no more when it was last looked at. */
  missing?: boolean;
}

/** Policy of all partitions of one parent. */
export interface PartitionPolicy {
  /**
   * Schema of the partitions, of every level. New ones are made there, attached ones that are elsewhere are moved there
   * (`ALTER TABLE … SET SCHEMA`). Default: the parent's schema.
   */
  partitionSchema?: Input<string>;
  /** Which periods exist. */
  window?: Input<Window>;
  /** The date (`2026-11`, `2026-11-21`) or, for steps of numbers, the value that counts as now. Required with `every`. */
  asOf?: Input<string | number>;
  /** Tiers by age, youngest rule first. */
  lifecycle?: Input<LifecycleRule[]>;
  /** Ranges kept live. */
  pins?: Input<Pin[]>;
  /** Name template such as `{table}_{yyyy}_{mm}`, the preset `pg_partman4` or `pg_partman5`, or both templates. */
  naming?: Input<string | { partitions?: string; default?: string }>;
  /** Whether there is a DEFAULT partition. Default: false. */
  defaultPartition?: Input<boolean>;
  /**
   * What becomes of partitions of a LIST that the last update declared and the program has left out since: `live` (default)
   * reports them and leaves them attached, `detached` keeps their rows in tables beside the parent, `archived` in the archive
   * only, `dropped` gives them up.
   * Values that another partition takes are moved there with their rows, whatever this says.
   */
  removed?: Input<"live" | "detached" | "archived" | "dropped">;
  /** How to treat attached partitions that nobody declared. Default: `report`. */
  unmanaged?: Input<"ignore" | "report" | "refuse">;
  /**
   * What happens when declared bounds differ from the real ones, so that rows belong to other partitions: `online` (default)
   * moves them while the application goes on, few of them in one transaction; `copy` copies them always, so that
   * transactions with an older snapshot see them, too; `refuse` reports them and moves none.
   */
  reorganize?: Input<"online" | "copy" | "refuse">;
  /** Names of existing tables outside the parent that may be attached. */
  adopt?: Input<string[]>;
  /** Explicit partitions by name, beside those of the policy. */
  partitions?: Input<Record<string, ExplicitPartition>>;
  /** How each partition is divided further. DEFAULT stays undivided. */
  subPartitionBy?: Input<SubPartitionBy>;
  /** Greatest number of partitions that get a row of their own in previews. Default: 250. */
  viewLimit?: Input<number>;
  /** Accepts a deliberate move to the cluster, database and table that a refused operation named. */
  acceptIdentity?: Input<string>;
  /** How far partitions follow their parent in owner, rights, policies, triggers and the like. */
  children?: Input<Children>;
  /** Where rows of tiers `exported` and `archived` are; needed by those. Default: none. */
  archive?: Input<Archive>;
  /** Storage by tier. `closed`: attached partitions whose upper bound is not after `asOf`; default: as `live`. */
  storage?: Input<{ live?: TierStorage; closed?: TierStorage }>;
}

/** A column of the parent. */
export interface Column {
  name: string;
  /** Type as in CREATE TABLE: `uuid`, `timestamp(3)`, `public.messagerole`. */
  type: string;
  /** Default: true; false is NOT NULL. */
  nullable?: boolean;
  /** SQL expression. */
  default?: string;
  identity?: "always" | "byDefault";
  generated?: { expression: string; kind?: "stored" | "virtual" };
  collation?: string;
  comment?: string;
  /** Statistics target. */
  statistics?: number;
}

/** PRIMARY KEY; must contain every partition key column. */
export interface Key {
  /** Default: PostgreSQL's choice; an equal key of any name then fits. */
  name?: string;
  columns: string[];
  /** Of the index and its parts, which are moved there. Default: PostgreSQL's choice, which is then not compared. */
  tablespace?: string;
}

/** UNIQUE; must contain every partition key column. */
export interface UniqueKey extends Key {
  /** UNIQUE NULLS NOT DISTINCT, PostgreSQL 15 and later. */
  nullsNotDistinct?: boolean;
}

export type ReferentialAction = "no action" | "restrict" | "cascade" | "set null" | "set default";

export interface ForeignKey {
  name?: string;
  columns: string[];
  references: { schema?: string; table: string; columns?: string[] };
  onDelete?: ReferentialAction;
  onUpdate?: ReferentialAction;
  deferrable?: boolean;
  initiallyDeferred?: boolean;
}

export interface IndexColumn {
  column?: string;
  expression?: string;
  order?: "asc" | "desc";
  nulls?: "first" | "last";
  /** Name of a collation. Default: the column's own. */
  collation?: string;
  /** Name of an operator class. Default: the type's own. */
  opclass?: string;
}

/** One of a table's `indexes`. */
export interface TableIndex {
  name: string;
  columns: (string | IndexColumn)[];
  unique?: boolean;
  /** Access method. Default: btree. */
  method?: string;
  include?: string[];
  /** Predicate of a partial index. */
  where?: string;
  /** Of the index and its parts, which are moved there. Default: PostgreSQL's choice, which is then not compared. */
  tablespace?: string;
}

/** Columns, keys and constraints of the parent. */
export interface TableDefinition {
  /** Absent: the table must exist already (made by an ORM or a migration); only its partitions are managed. */
  columns?: Input<Column[]>;
  primaryKey?: Input<string[] | Key>;
  unique?: Input<UniqueKey[]>;
  checks?: Input<{ name?: string; expression: string }[]>;
  foreignKeys?: Input<ForeignKey[]>;
  indexes?: Input<TableIndex[]>;
  comment?: Input<string>;
  /** Default: the connected role. */
  owner?: Input<string>;
}
