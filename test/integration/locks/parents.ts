/** Statements about the parent: each difference from its declaration, in every family of tables. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Alteration } from "../../../postgres/table/alteration";
import { renderDropTable } from "../../../postgres/table/apply";
import { renderCreateTable } from "../../../postgres/table/create";
import type { DifferenceKind } from "../../../postgres/table/difference";
import { planTable } from "../../../postgres/table/plan";
import { readTable } from "../../../postgres/table/read";
import { readBelow } from "../../../postgres/table/tree";
import { MAJORS } from "../../../tools/postgres";
import type { DeclaredTable } from "../../../topology/table/model";
import type { TestDatabase, TestServer } from "../../support/postgres";
import { openForSuite } from "../postgres/opened";
import { expectPredictedLocks, expectPredictedTogether } from "../postgres/predicted-locks";
import { emptySchema } from "../postgres/support";
import { declared } from "../table/tables";

interface Family {
  /** `parent` has no partitions. */
  empty?: boolean;
  withDefault?: boolean;
  /** `parent` references `plain`, or `parted`, which has partitions on two levels. */
  out?: "plain" | "parted";
  /** `entry` references `parent`, and `entries`, which has partitions, does too. */
  in?: boolean;
  self?: boolean;
  /** `p2` is partitioned, and `p2b` below it; DEFAULT is, too. */
  deep?: boolean;
}

const FAMILIES: [string, Family][] = [
  ["without partitions, with foreign keys both ways", { empty: true, out: "parted", in: true, self: true }],
  ["without partitions", { empty: true }],
  ["alone", {}],
  ["with foreign keys in", { in: true }],
  ["with three levels, DEFAULT and foreign keys both ways", { deep: true, withDefault: true, out: "plain", in: true }],
  [
    "with three levels and foreign keys between partitioned tables",
    { deep: true, withDefault: true, out: "parted", in: true, self: true },
  ],
];

const COLUMNS = [
  { name: "id", type: "bigint", nullable: false },
  { name: "k", type: "int", nullable: false },
  { name: "note", type: "varchar(20)" },
  { name: "amount", type: "int" },
  { name: "plain", type: "int" },
  { name: "up", type: "bigint" },
];

const NEWEST = Math.max(...MAJORS);

type Change = Record<string, unknown>;

/** `parent` with other properties, and other properties of some columns. */
function table(more: Change = {}, columns: Record<string, Change> = {}): DeclaredTable {
  return declared({
    name: "parent",
    partitionBy: { range: { column: "k" } },
    columns: COLUMNS.map((column) => ({ ...column, ...columns[column.name] })),
    ...more,
  });
}

const withColumn = (column: Change) => table({ columns: [...COLUMNS, { name: "extra", type: "int", ...column }] });

async function createParent(client: Client, { empty, withDefault, out, in: referenced, self, deep }: Family) {
  const below = deep ? " PARTITION BY RANGE (k)" : "";
  await emptySchema(client, "public");
  await client.query(`
    CREATE TABLE plain (id int PRIMARY KEY);
    CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (6);
    CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (6) TO (20) PARTITION BY RANGE (id);
    CREATE TABLE parted_2a PARTITION OF parted_2 FOR VALUES FROM (6) TO (20);
    INSERT INTO plain SELECT generate_series(0, 9); INSERT INTO parted SELECT generate_series(0, 9);
    CREATE TABLE parent (id bigint NOT NULL, k int NOT NULL, note varchar(20), amount int, plain int, up bigint
      ${out ? `, CONSTRAINT out_key FOREIGN KEY (plain) REFERENCES ${out}` : ""}
      ${referenced || self ? ", CONSTRAINT parent_pkey PRIMARY KEY (id, k)" : ""}
      ${self ? ", CONSTRAINT up_key FOREIGN KEY (up, k) REFERENCES parent" : ""}) PARTITION BY RANGE (k)`);
  if (!empty) {
    await client.query(`
      CREATE TABLE p1 PARTITION OF parent FOR VALUES FROM (0) TO (10);
      CREATE TABLE p2 PARTITION OF parent FOR VALUES FROM (10) TO (20)${below}`);
    if (deep) {
      await client.query(`
        CREATE TABLE p2a PARTITION OF p2 FOR VALUES FROM (10) TO (15);
        CREATE TABLE p2b PARTITION OF p2 FOR VALUES FROM (15) TO (20)${below};
        CREATE TABLE p2b1 PARTITION OF p2b FOR VALUES FROM (15) TO (20)`);
    }
    if (withDefault) await client.query(`CREATE TABLE pd PARTITION OF parent DEFAULT${below}`);
    if (withDefault && deep) await client.query("CREATE TABLE pd1 PARTITION OF pd FOR VALUES FROM (100) TO (200)");
    await client.query("INSERT INTO parent SELECT g, g % 20, 'n', g, g % 10, NULL FROM generate_series(1, 40) g");
  }
  if (referenced) {
    await client.query(`
      CREATE TABLE entry (id bigint, k int, FOREIGN KEY (id, k) REFERENCES parent);
      CREATE TABLE entries (id bigint, k int, FOREIGN KEY (id, k) REFERENCES parent) PARTITION BY RANGE (k);
      CREATE TABLE entries_1 PARTITION OF entries FOR VALUES FROM (0) TO (99)`);
  }
}

interface Case {
  prepare?: string;
  table: () => DeclaredTable;
  /** What the last update declared. */
  former?: () => DeclaredTable;
  only?(family: Family, major: number): boolean;
}

const CHECK = { name: "positive", expression: "amount > 0" };
const KEY = { name: "new_key", columns: ["amount"], references: { table: "plain", columns: ["id"] } };
const TO_PARTED = { ...KEY, references: { table: "parted", columns: ["id"] } };

/** Rows of `amount` that both tables have. */
const REFERENCES = "UPDATE parent SET amount = amount % 10";

const isEmpty = ({ empty = false }: Family) => empty;

/** No statement: refused with the safe route, or only reported. */
const NOTHING = "nothing";

/** A kind without an entry does not compile. */
const CASES: Record<DifferenceKind, Case[] | typeof NOTHING> = {
  partitionKey: NOTHING,
  columnMissing: [
    { table: () => withColumn({}) },
    { table: () => withColumn({ nullable: false, default: "3", comment: "c", statistics: 5 }) },
  ],
  columnType: [
    { table: () => table({}, { note: { type: "varchar(50)" } }) },
    {
      prepare: "ALTER TABLE parent ALTER note SET DEFAULT 'a'::varchar(20)",
      table: () => table({}, { note: { type: "text", default: "'b'" } }),
    },
  ],
  columnNullable: [
    { table: () => table({}, { amount: { nullable: false } }) },
    {
      prepare: "ALTER TABLE parent ALTER amount SET NOT NULL",
      table: () => table({}, { amount: { nullable: true } }),
    },
  ],
  columnDefault: [
    { table: () => table({}, { note: { default: "'none'" } }) },
    { prepare: "ALTER TABLE parent ALTER note SET DEFAULT 'a'", table: () => table() },
  ],
  columnIdentity: NOTHING,
  columnGenerated: NOTHING,
  columnCollation: NOTHING,
  columnComment: [{ table: () => table({}, { note: { comment: "c" } }) }],
  columnStatistics: [{ table: () => table({}, { note: { statistics: 50 } }) }],
  columnUndeclared: NOTHING,
  // With partitions these are an index on each of them: see indexes.ts.
  primaryKeyMissing: [
    { table: () => table({ primaryKey: ["id", "k"] }), only: (family) => isEmpty(family) && !family.in },
  ],
  primaryKeyChanged: NOTHING,
  uniqueMissing: [{ table: () => table({ unique: [{ columns: ["amount", "k"] }] }), only: isEmpty }],
  uniqueChanged: NOTHING,
  checkMissing: [{ table: () => table({ checks: [CHECK] }) }],
  checkChanged: [
    {
      prepare: "ALTER TABLE parent ADD CONSTRAINT positive CHECK (amount > -5)",
      table: () => table({ checks: [CHECK] }),
    },
    {
      prepare: `ALTER TABLE parent ADD CONSTRAINT other CHECK (${CHECK.expression})`,
      table: () => table({ checks: [CHECK] }),
    },
    {
      prepare: `ALTER TABLE parent ADD CONSTRAINT positive CHECK (${CHECK.expression}) NOT VALID`,
      table: () => table({ checks: [CHECK] }),
    },
    {
      prepare:
        "ALTER TABLE parent ADD CONSTRAINT positive CHECK (amount > -5), ADD CONSTRAINT pgpartition_check_positive CHECK (amount > 1) NOT VALID",
      table: () => table({ checks: [CHECK] }),
    },
  ],
  foreignKeyMissing: [
    { prepare: REFERENCES, table: () => table({ foreignKeys: [KEY] }) },
    { prepare: REFERENCES, table: () => table({ foreignKeys: [TO_PARTED] }) },
    {
      prepare: `${REFERENCES}; ALTER TABLE p1 ADD CONSTRAINT mine FOREIGN KEY (amount) REFERENCES plain;
        ALTER TABLE p2 ADD CONSTRAINT its FOREIGN KEY (amount) REFERENCES plain NOT VALID`,
      table: () => table({ foreignKeys: [KEY] }),
      only: ({ empty, deep }) => !empty && !deep,
    },
    {
      prepare: `${REFERENCES}; ALTER TABLE p2 ADD CONSTRAINT its FOREIGN KEY (amount) REFERENCES plain`,
      table: () => table({ foreignKeys: [KEY] }),
      only: ({ empty }) => !empty,
    },
    {
      prepare: `${REFERENCES}; ALTER TABLE p1 ADD CONSTRAINT mine FOREIGN KEY (amount) REFERENCES parted;
        ALTER TABLE p2 ADD CONSTRAINT its FOREIGN KEY (amount) REFERENCES parted`,
      table: () => table({ foreignKeys: [TO_PARTED] }),
      only: ({ empty }) => !empty,
    },
  ],
  foreignKeyChanged: [
    {
      prepare: `${REFERENCES}; ALTER TABLE parent ADD CONSTRAINT older FOREIGN KEY (amount) REFERENCES plain (id)`,
      table: () => table({ foreignKeys: [KEY] }),
    },
    {
      prepare: `${REFERENCES}; ALTER TABLE parent ADD CONSTRAINT new_key FOREIGN KEY (amount) REFERENCES parted (id) NOT VALID`,
      table: () => table({ foreignKeys: [TO_PARTED] }),
      only: (_, major) => major >= 18,
    },
  ],
  constraintUndeclared: NOTHING,
  constraintRemoved: [
    {
      prepare: `ALTER TABLE parent ADD CONSTRAINT positive CHECK (${CHECK.expression})`,
      former: () => table({ checks: [CHECK] }),
      table: () => table(),
    },
    {
      prepare: "ALTER TABLE parent ADD CONSTRAINT one UNIQUE (amount, k)",
      former: () => table({ unique: [{ name: "one", columns: ["amount", "k"] }] }),
      table: () => table(),
    },
    ...[KEY, TO_PARTED].map((key) => ({
      prepare: `${REFERENCES}; ALTER TABLE parent ADD CONSTRAINT new_key FOREIGN KEY (amount) REFERENCES ${key.references.table} (id)`,
      former: () => table({ foreignKeys: [key] }),
      table: () => table(),
    })),
  ],
  constraintLeftOver: [
    {
      prepare: "ALTER TABLE parent ADD CONSTRAINT pgpartition_not_null_amount CHECK (amount IS NOT NULL) NOT VALID",
      table: () => table(),
    },
  ],
  indexMissing: [
    { table: () => table({ indexes: [{ name: "by_note", columns: ["note"], include: ["id"] }] }), only: isEmpty },
  ],
  indexChanged: NOTHING,
  indexUndeclared: NOTHING,
  comment: [{ table: () => table({ comment: "c" }) }],
  owner: [{ table: () => table({ owner: "pg_monitor" }) }],
  notCompared: NOTHING,
};

export function comparesParents(server: () => TestServer): void {
  let database: TestDatabase;
  let client: Client;

  openForSuite(server, (opened) => {
    ({ database, client } = opened);
  });

  async function rebuild(family: Family, prepare?: string): Promise<void> {
    await createParent(client, family);
    if (prepare !== undefined) await client.query(prepare);
  }

  /** What was begun is taken back once, and then begun again. */
  async function carryOut({ begin, pieces, finish, takeBack }: Alteration): Promise<void> {
    const compare = (statements: Alteration["begin"]) => expectPredictedLocks(database, statements);
    await compare(begin);
    if (takeBack.length > 0) {
      await compare(takeBack);
      await compare(begin.filter(({ sql }) => !sql.includes(" DROP CONSTRAINT ")));
    }
    for (const piece of pieces) {
      await compare(piece.statements.slice(0, 1));
      if (piece.statements.length > 1 && piece.takeBack.length > 0) {
        await compare(piece.takeBack);
        await compare(piece.statements.slice(0, 1));
      }
      await compare(piece.statements.slice(1));
    }
    await compare(finish);
  }

  async function change(kind: DifferenceKind, family: Family, { prepare, table: wanted, former }: Case): Promise<void> {
    await rebuild(family, prepare);
    const actual = await readTable(client, wanted());
    assert.ok(actual);
    const { differences, change: planned } = await planTable(client, wanted(), actual, former?.());
    assert.ok(
      differences.some((difference) => difference.kind === kind),
      JSON.stringify(differences),
    );
    assert.deepEqual(planned.refused, []);
    assert.ok(planned.statements.length + planned.alterations.length > 0);
    await expectPredictedLocks(database, planned.statements);
    for (const alteration of planned.alterations) await carryOut(alteration);
  }

  /** Every family where the newest server is, and those that have everything on the older ones. */
  async function inFamilies(work: (family: Family) => Promise<void>): Promise<void> {
    for (const [name, family] of FAMILIES.filter(([, { self }]) => server().major === NEWEST || self)) {
      try {
        await work(family);
      } catch (error) {
        throw new Error(`${name}: ${error instanceof Error ? error.message : error}`, { cause: error });
      }
    }
  }

  for (const [kind, cases] of Object.entries(CASES)) {
    if (cases === NOTHING) continue;
    it(kind, () =>
      inFamilies(async (family) => {
        const possible = cases.filter(({ only }) => only === undefined || only(family, server().major));
        for (const one of possible) await change(kind as DifferenceKind, family, one);
      }),
    );
  }

  it("dropping the table", () =>
    inFamilies(async (family) => {
      await rebuild(family, family.in ? "DROP TABLE entry, entries" : undefined);
      const actual = await readTable(client, table());
      assert.ok(actual);
      const below = await readBelow(client, actual.foreignKeys);
      await expectPredictedTogether(database, renderDropTable(actual, below, server().major));
    }));

  for (const key of [KEY, TO_PARTED]) {
    it(`creating the table with a foreign key to ${key.references.table}`, async () => {
      await rebuild({ empty: true }, "DROP TABLE parent");
      const columns = { note: { comment: "c", statistics: 7 } };
      const more = {
        primaryKey: ["id", "k"],
        unique: [{ columns: ["amount", "k"] }],
        checks: [CHECK],
        foreignKeys: [key],
        indexes: [{ name: "by_note", columns: ["note"] }],
        comment: "c",
        owner: "pg_monitor",
      };
      const wanted = table(more, columns);
      await expectPredictedLocks(database, renderCreateTable(wanted, await readBelow(client, wanted.foreignKeys)));
    });
  }
}
