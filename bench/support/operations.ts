/** Every operation of the module on a table of its own: what is declared before it, and after it. */
import type { Program } from "../../test/support/without-engine";

/** One operation; `name` is also that of its table. */
export interface Operation {
  name: string;
  title: string;
  /** Rows of each of the partitions `a`, `b` and `c`; default 1,000. */
  rows?: number;
  withDefault?: boolean;
  /** Another table references this one, and is read and written as well. */
  referenced?: boolean;
  /** After the first program has been brought about. */
  prepare?: string;
  before: Program;
  after: Program;
}

type Partitions = Record<string, Record<string, unknown>>;

const COLUMNS = [
  { name: "id", type: "bigint", nullable: false },
  { name: "k", type: "int", nullable: false },
  { name: "payload", type: "text" },
  { name: "account", type: "int" },
];

/** The load uses `a` and `b`; what leaves is `c`, or a part of it. */
const BOUNDS: Partitions = { a: { from: 0, to: 100 }, b: { from: 100, to: 200 }, c: { from: 200, to: 300 } };

interface Declared {
  table?: Record<string, unknown>;
  columns?: Record<string, Record<string, unknown>>;
  more?: Record<string, unknown>[];
  partitions?: Partitions;
  set?: Record<string, unknown>;
}

function program(name: string, withDefault: boolean, declared: Declared = {}): Program {
  const partitionBy = { range: { column: "k", type: "int" } };
  const changed = COLUMNS.map((column) => ({ ...column, ...declared.columns?.[column.name] }));
  const partitions = Object.entries(declared.partitions ?? BOUNDS).map(([part, bound]) => [`${name}_${part}`, bound]);
  const columns = [...changed, ...(declared.more ?? [])];
  return {
    table: { name, partitionBy, columns, primaryKey: ["id", "k"], ...declared.table },
    set: {
      table: name,
      partitionBy,
      partitions: Object.fromEntries(partitions),
      defaultPartition: withDefault,
      ...declared.set,
    },
  };
}

type Sketch = Pick<Operation, "name" | "title" | "rows" | "withDefault" | "referenced" | "prepare"> & {
  before?: Declared;
  after: Declared;
};

const NEW = { from: 300, to: 400 };

const OPERATIONS: Sketch[] = [
  { name: "created", title: "create a partition", withDefault: true, after: { partitions: { ...BOUNDS, d: NEW } } },
  {
    name: "attached",
    title: "attach a table with rows",
    withDefault: true,
    prepare: `CREATE TABLE attached_d (LIKE attached INCLUDING ALL);
      INSERT INTO attached_d SELECT -g, 300 + g % 100, 'x', 1 FROM generate_series(1, 1000) g`,
    after: { partitions: { ...BOUNDS, d: NEW }, set: { adopt: ["attached_d"] } },
  },
  {
    name: "detached",
    title: "detach, concurrently",
    after: { partitions: { ...BOUNDS, c: { ...BOUNDS.c, tier: "detached" } } },
  },
  {
    name: "detach_referenced",
    title: "detach, beside DEFAULT and an incoming foreign key",
    withDefault: true,
    referenced: true,
    after: { partitions: { ...BOUNDS, c: { ...BOUNDS.c, tier: "detached" } } },
  },
  {
    name: "drop_one",
    title: "drop",
    withDefault: true,
    after: { partitions: { ...BOUNDS, c: { ...BOUNDS.c, tier: "dropped" } } },
  },
  {
    name: "split",
    title: "split, in one transaction",
    withDefault: true,
    after: {
      partitions: { a: BOUNDS.a ?? {}, b: { from: 100, to: 150 }, b2: { from: 150, to: 200 }, c: BOUNDS.c ?? {} },
    },
  },
  {
    name: "split_copied",
    title: "split, by a copy",
    rows: 60_000,
    withDefault: true,
    after: {
      partitions: { a: BOUNDS.a ?? {}, b: { from: 100, to: 150 }, b2: { from: 150, to: 200 }, c: BOUNDS.c ?? {} },
    },
  },
  {
    name: "attributes",
    title: "put attributes right",
    prepare: `ALTER TABLE attributes_b REPLICA IDENTITY FULL, ENABLE ROW LEVEL SECURITY, ALTER payload SET STATISTICS 7;
      GRANT SELECT ON attributes_b TO pg_monitor; COMMENT ON COLUMN attributes_b.payload IS 'by hand'`,
    after: { set: { storage: { live: { parameters: { fillfactor: 90 } } } } },
  },
  {
    name: "index_built",
    title: "build an index",
    rows: 20_000,
    withDefault: true,
    after: { table: { indexes: [{ name: "index_built_account", columns: ["account", "k"] }] } },
  },
  {
    name: "altered",
    title: "alter the parent: column, default, NOT NULL, check, foreign key",
    rows: 20_000,
    withDefault: true,
    referenced: true,
    after: {
      columns: { account: { nullable: false }, payload: { default: "'none'" } },
      more: [{ name: "extra", type: "int", nullable: false, default: "3" }],
      table: {
        checks: [{ name: "altered_id", expression: "id > -1000000000" }],
        foreignKeys: [
          { name: "altered_account", columns: ["account"], references: { table: "account", columns: ["id"] } },
        ],
      },
    },
  },
];

export function operations(): Operation[] {
  return OPERATIONS.map(({ before, after, ...rest }) => {
    const withDefault = rest.withDefault ?? false;
    return {
      ...rest,
      before: program(rest.name, withDefault, before),
      after: program(rest.name, withDefault, after),
    };
  });
}

/** What the application does with the table of an operation all the time: one client for each list. */
export function jobsOf({ name, referenced }: Operation): string[][] {
  return [
    [
      `SELECT count(*) FROM ${name} WHERE k BETWEEN 20 AND 40`,
      `SELECT count(*) FROM ${name} WHERE k IN (110, 160)`,
      ...(referenced ? [`SELECT count(*) FROM ${name}_entry`] : []),
    ],
    [
      `INSERT INTO ${name} (id, k, payload, account) SELECT nextval('ids'), n, 'x', 1 FROM unnest('{5,105,155,5000}'::int[]) n WHERE n < 300 OR ${rest(name)}`,
      `UPDATE ${name} SET payload = 'y' WHERE id = 10 AND k = 10`,
      `UPDATE ${name} SET payload = 'z' WHERE id = 120 AND k = 120`,
      `DELETE FROM ${name} WHERE id = (SELECT max(id) FROM ${name} WHERE k = 155) AND k = 155`,
      ...(referenced ? [`INSERT INTO ${name}_entry VALUES (nextval('ids'), 10, 10)`] : []),
    ],
  ];
}

/** Rows that only DEFAULT takes. */
function rest(name: string): string {
  return `EXISTS (SELECT FROM pg_class WHERE relname = '${name}_default' AND relispartition)`;
}
