/** Steps, plans and a family of tables for tests of the statements and of the executor. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { readSet } from "../../../postgres/catalog";
import { Sessions } from "../../../postgres/connection";
import { type ExecutionEvent, type ExecutionOptions, type ExecutionReport, execute } from "../../../postgres/executor";
import type { CatalogParent, CatalogSet } from "../../../postgres/parent";
import type { PartitionBound } from "../../../topology/model";
import type { Plan, Step, StepKind, StepMethod } from "../../../topology/steps";
import type { Connection, TestDatabase } from "../../support/postgres";

export const SCHEMA = "s";

const KINDS: Record<StepMethod, StepKind> = {
  partitionOf: "create",
  likeAttach: "create",
  attach: "attach",
  detachAttach: "rebound",
  detachConcurrently: "detach",
  detachPlain: "detach",
  finalize: "finalizeDetach",
  validate: "validateForeignKeys",
  guard: "guardDefault",
  unguard: "unguardDefault",
  prove: "proveBound",
  unprove: "unproveBound",
  rename: "rename",
  adjust: "adjust",
  dropTable: "drop",
  export: "export",
  restore: "restore",
  dropArchived: "drop",
  moveInOneTransaction: "reorganize",
  copyAndSwap: "reorganize",
  abandon: "abandonReorganization",
};

let transactions = 0;

/** A step about a partition of `s.p`; every step has a transaction of its own unless it says otherwise. */
export function step(method: StepMethod, partition: string, more: Partial<Step> = {}): Step {
  transactions += 1;
  const kind = KINDS[method];
  return {
    id: `${kind}:${partition}`,
    kind,
    method,
    partition,
    schema: SCHEMA,
    reason: "test",
    effect: { data: "none" },
    transaction: transactions,
    after: [],
    ...more,
  };
}

export function planOf(...steps: Step[]): Plan {
  return { steps, findings: [], unchanged: [] };
}

export const range = (from: string, to: string): PartitionBound => ({ from, to });

export function sessionsOn(connection: Connection, more: { maxConnections?: number; user?: string } = {}): Sessions {
  const { host, port, user, password, database } = connection;
  return new Sessions({ host, port, username: user, password, database, sslmode: "disable", ...more }, {});
}

/** Reads `s.<table>` with everything that is below it as declared and known. */
export async function read(sessions: Sessions, names: string[] = [], table = "p"): Promise<CatalogSet> {
  return sessions.withSession((session) =>
    readSet(session, { schema: SCHEMA, table, names: names.map((name) => ({ schema: SCHEMA, name })), known: {} }),
  );
}

export async function readParentOf(sessions: Sessions, table = "p"): Promise<CatalogParent> {
  const { parent } = await read(sessions, [], table);
  if (parent === undefined) throw new Error(`${SCHEMA}.${table} is not there`);
  return parent;
}

/** Short waits, so that a test of failure does not take minutes. */
export const QUICK = {
  steps: [50, 100],
  pause: { least: 5, most: 10 },
  look: { first: 10, most: 50 },
  budget: 1500,
};

/**
 * Whoever has just begun counts as somebody who will soon be gone: waits until no transaction of that application is younger
 * than the first try of {@link QUICK}.
 */
export async function untilSeasoned(client: Client, application: string): Promise<void> {
  for (;;) {
    const { rows } = await client.query(
      `SELECT FROM pg_stat_activity WHERE application_name = $1
         AND clock_timestamp() - xact_start < $2 * interval '1 ms'`,
      [application, QUICK.steps[0]],
    );
    if (rows.length === 0) return;
  }
}

/** Carries out steps on `s.p` as it is now. */
export async function carryOut(
  sessions: Sessions,
  steps: Step[],
  more: Partial<ExecutionOptions> = {},
): Promise<ExecutionReport & { events: ExecutionEvent[] }> {
  const events: ExecutionEvent[] = [];
  const parent = more.parent ?? (await readParentOf(sessions));
  const report = await execute(planOf(...steps), {
    sessions,
    ladder: QUICK,
    onEvent: (event) => events.push(event),
    ...more,
    parent,
  });
  return { ...report, events };
}

/** What the family of tables has besides `s.p` and its partitions `c0` (0-10), `c1` (10-20), both with rows. */
export interface Family {
  withDefault?: boolean;
  /** `s.p` references `s.ref`, which has partitions when this is `partitioned`, and these have some when it is `deep`. */
  out?: boolean | "partitioned" | "deep";
  /** `s.p` references the ordinary table `s.plain` as well. */
  also?: boolean;
  /** `s.inb` references `s.p`; when this is `deep` it has partitions, and one of these has some. */
  in?: boolean | "deep";
  /** `s.p` references itself; every row refers to one of `s.c0`. */
  self?: boolean;
  /** `s.c1` is partitioned itself, into `s.c1a` and `s.c1b`, and `s.d` into `s.d1`. */
  deep?: boolean;
}

/**
 * Leaves the schema there with nothing in it. Whenever a schema is made or dropped, every session plans all its queries
 * anew; so that is done only to one that has been granted, or gives what is made in it away.
 */
export async function emptySchema(client: Client, schema = SCHEMA): Promise<void> {
  await client.query(`DO $$ DECLARE tables text; routines text; BEGIN
    IF EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = '${schema}'
      AND (n.nspacl IS NOT NULL OR EXISTS (SELECT FROM pg_default_acl d WHERE d.defaclnamespace = n.oid))) THEN
      DROP SCHEMA ${schema} CASCADE;
    END IF;
    CREATE SCHEMA IF NOT EXISTS ${schema};
    SELECT string_agg(oid::regclass::text, ', ') INTO tables FROM pg_class
      WHERE relnamespace = '${schema}'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition;
    IF tables IS NOT NULL THEN EXECUTE 'DROP TABLE ' || tables || ' CASCADE'; END IF;
    SELECT string_agg(oid::regprocedure::text, ', ') INTO routines FROM pg_proc
      WHERE pronamespace = '${schema}'::regnamespace;
    IF routines IS NOT NULL THEN EXECUTE 'DROP ROUTINE ' || routines || ' CASCADE'; END IF;
  END $$`);
}

/** `s.g` (list) holds `s.p` (range by k), as far as locks are concerned the general case. */
export async function createFamily(client: Client, family: Family = {}): Promise<void> {
  await client.query(
    [...referencedByFamily(family), ...tablesOfFamily(family), ...referencesToFamily(family)].join("; "),
  );
}

function referencedByFamily({ out, also }: Family): string[] {
  const divided = typeof out === "string";
  return [
    "CREATE SCHEMA IF NOT EXISTS s",
    `CREATE TABLE s.ref (r int PRIMARY KEY)${divided ? " PARTITION BY RANGE (r)" : ""}`,
    ...(divided ? ["CREATE TABLE s.ref0 PARTITION OF s.ref DEFAULT"] : []),
    ...(out === "deep"
      ? [
          "CREATE TABLE s.ref1 PARTITION OF s.ref FOR VALUES FROM (0) TO (50) PARTITION BY RANGE (r)",
          "CREATE TABLE s.ref1a PARTITION OF s.ref1 DEFAULT",
        ]
      : []),
    "INSERT INTO s.ref SELECT generate_series(0, 99)",
    ...(also ? ["CREATE TABLE s.plain AS TABLE s.ref", "ALTER TABLE s.plain ADD PRIMARY KEY (r)"] : []),
  ];
}

function tablesOfFamily({ out, also, self, deep, withDefault }: Family): string[] {
  const references = [
    out ? ", CONSTRAINT fk FOREIGN KEY (r) REFERENCES s.ref" : "",
    also ? ", CONSTRAINT also FOREIGN KEY (r) REFERENCES s.plain" : "",
    self ? ", CONSTRAINT up FOREIGN KEY (r) REFERENCES s.p (k)" : "",
  ].join("");
  const columns = "tenant int NOT NULL, k int NOT NULL, r int, note text";
  const below = deep ? " PARTITION BY RANGE (k)" : "";
  return [
    `CREATE TABLE s.g (${columns}) PARTITION BY LIST (tenant)`,
    `CREATE TABLE s.p (${columns}, PRIMARY KEY (k)${references}) PARTITION BY RANGE (k)`,
    "ALTER TABLE s.g ATTACH PARTITION s.p FOR VALUES IN (1)",
    "CREATE TABLE s.c0 PARTITION OF s.p FOR VALUES FROM (0) TO (10)",
    `CREATE TABLE s.c1 PARTITION OF s.p FOR VALUES FROM (10) TO (20)${below}`,
    ...(withDefault ? [`CREATE TABLE s.d PARTITION OF s.p DEFAULT${below}`] : []),
    ...(deep
      ? [
          "CREATE TABLE s.c1a PARTITION OF s.c1 FOR VALUES FROM (10) TO (15)",
          "CREATE TABLE s.c1b PARTITION OF s.c1 FOR VALUES FROM (15) TO (20)",
        ]
      : []),
    ...(deep && withDefault ? ["CREATE TABLE s.d1 PARTITION OF s.d FOR VALUES FROM (100) TO (200)"] : []),
    `INSERT INTO s.p SELECT 1, k, ${self ? "k % 10" : "k"}, 'n' FROM generate_series(0, 19) k`,
  ];
}

function referencesToFamily(family: Family): string[] {
  if (family.in !== "deep") return family.in ? ["CREATE TABLE s.inb (k int REFERENCES s.p)"] : [];
  return [
    "CREATE TABLE s.inb (k int REFERENCES s.p) PARTITION BY RANGE (k)",
    "CREATE TABLE s.inb0 PARTITION OF s.inb DEFAULT",
    "CREATE TABLE s.inb1 PARTITION OF s.inb FOR VALUES FROM (0) TO (50) PARTITION BY RANGE (k)",
    "CREATE TABLE s.inb1a PARTITION OF s.inb1 DEFAULT",
  ];
}

export async function oidOf(client: Client, name: string): Promise<number> {
  const { rows } = await client.query<{ oid: number }>("SELECT $1::regclass::oid AS oid", [name]);
  return Number(rows[0]?.oid);
}

/** A concurrent detach that a time-out has interrupted, because a transaction had used the parent. */
export async function leavePending(database: TestDatabase, child: string): Promise<void> {
  const [user, detaching] = [await database.client("user"), await database.client("interrupted")];
  await user.query("BEGIN; LOCK TABLE ONLY s.p IN ACCESS SHARE MODE");
  await detaching.query("SET lock_timeout = '20ms'");
  await assert.rejects(detaching.query(`ALTER TABLE s.p DETACH PARTITION s.${child} CONCURRENTLY`), { code: "55P03" });
  await Promise.all([user.end(), detaching.end()]);
}

/** Names below `s.p` with bounds, pending ones marked. */
export async function childrenOf(client: Client, parent = "s.p"): Promise<string[]> {
  const { rows } = await client.query<{ text: string }>(
    `SELECT c.relname || ' ' || pg_get_expr(c.relpartbound, 0) || CASE WHEN i.inhdetachpending THEN ' pending' ELSE '' END AS text
     FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1::regclass ORDER BY c.relname`,
    [parent],
  );
  return rows.map(({ text }) => text);
}

/** A database with the family, open for the length of one test. */
export async function withFamily<T>(
  database: Promise<TestDatabase>,
  family: Family,
  action: (context: { client: Client; database: TestDatabase; sessions: Sessions }) => Promise<T>,
): Promise<T> {
  const made = await database;
  const sessions = sessionsOn(made.connection);
  try {
    const client = await made.client();
    await createFamily(client, family);
    return await action({ client, database: made, sessions });
  } finally {
    await sessions.close();
    await made.drop();
  }
}
