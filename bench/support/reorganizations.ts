/** Reorganizations of a large table through the engine, each beside the plain way on a copy of the same database. */
import { setTimeout as pause } from "node:timers/promises";
import { Client } from "pg";
import { type Connection, type TestDatabase, testServer } from "../../test/support/postgres";
import { TestStack } from "../../test/support/stack";
import { seconds } from "./floor";
import { type Load, startLoad } from "./load";

export const ROWS = Number(process.env.BENCH_ROWS ?? 2_000_000);

/** No statement of the application may take longer. */
export const LONGEST_MS = 250;

/** Before and after, so that the load has its plans. */
const CALM_MS = 1_000;

/** What was seen of one way. */
export interface Seen {
  seconds: number;
  /** Of the application while it was under way. */
  statements: number;
  /** In milliseconds. */
  longest: number;
  failures: string[];
  /** The content is what the application has made of what was there. */
  same: boolean;
}

export interface Measured {
  title: string;
  own: Seen;
  plain: Seen;
}

/** A table with its partitions before the first step and after each. */
interface Case {
  table: string;
  primaryKey: string[];
  /** As PostgreSQL writes the partition key. */
  key: string;
  /** A value for the key column `at` of the row with the id `g`. */
  at: string;
  stages: Stage[];
}

interface Stage {
  /** What the step to this stage is called; none for the first. */
  title?: string;
  /** Arguments of the program that say it. */
  declared: string;
  /** Bounds of the partitions, for the plain way. */
  bounds: string[];
}

const SECONDS_OF_YEAR = 365 * 86_400;

const CASES: Case[] = [
  {
    table: "shards",
    primaryKey: ["id"],
    key: "HASH (id)",
    at: "now()",
    stages: [
      { declared: hash(16), bounds: buckets(16) },
      { title: "HASH 16 → 32", declared: hash(32), bounds: buckets(32) },
    ],
  },
  {
    table: "years",
    primaryKey: ["id", "at"],
    key: "RANGE (at)",
    at: `timestamptz '2025-01-01Z' + (abs(g)::bigint * 7919 % ${SECONDS_OF_YEAR}) * interval '1 second'`,
    stages: [
      { declared: range("year", 0), bounds: ranges(12) },
      { title: "a year into quarters", declared: range("quarter", 3), bounds: ranges(3) },
      { title: "quarters into months", declared: range("month", 11), bounds: ranges(1) },
    ],
  },
];

/** How many results {@link measureReorganizations} gives. */
export const STEPS = CASES.reduce((count, { stages }) => count + stages.length - 1, 0);

function hash(partitions: number): string {
  return `partitionBy: { hash: { columns: ["id"], partitions: ${partitions} } }`;
}

function buckets(modulus: number): string[] {
  return Array.from({ length: modulus }, (_, remainder) => `WITH (MODULUS ${modulus}, REMAINDER ${remainder})`);
}

function range(every: string, ahead: number): string {
  return `partitionBy: { range: { column: "at", every: "${every}" } }, window: { from: "2025-01", ahead: ${ahead} }, asOf: "2025-01"`;
}

/** The year 2025 in pieces of so many months. */
function ranges(months: number): string[] {
  const first = (month: number) => new Date(Date.UTC(2025, month, 1)).toISOString().slice(0, 10);
  return Array.from(
    { length: 12 / months },
    (_, piece) => `FROM ('${first(piece * months)}Z') TO ('${first((piece + 1) * months)}Z')`,
  );
}

type Log = (text: string) => void;

/** One result for each step. */
export async function* measureReorganizations(log: Log): AsyncGenerator<Measured> {
  for (const one of CASES) yield* measureCase(one, log);
}

async function* measureCase(one: Case, log: Log): AsyncGenerator<Measured> {
  const [first, ...steps] = one.stages;
  if (first === undefined) return;
  const own = await (await testServer(18)).createDatabase();
  const stack = await TestStack.create({ database: own.connection, program: programOf(one, first) });
  await stack.mustUp();
  await fill(own.connection, one);
  const plain = await copyOf(own);
  log(`${one.table} has its rows`);
  for (const step of steps) {
    await stack.setProgram(programOf(one, step));
    const up = await beside(own, one, () => stack.mustUp());
    log(`${step.title}: ${JSON.stringify(up)}`);
    const rebuilt = await beside(plain, one, () => rebuild(plain.connection, one, step));
    log(`${step.title}, plain: ${JSON.stringify(rebuilt)}`);
    yield { title: step.title ?? "", own: up, plain: rebuilt };
  }
  await stack.mustRun(["preview", "--expect-no-changes"]);
  await stack.remove();
  await own.drop();
  await plain.drop();
}

function programOf({ table, primaryKey }: Case, { declared }: Stage): string {
  return `
new pgp.PartitionedTable("${table}", {
  columns: [{ name: "id", type: "bigint" }, { name: "at", type: "timestamptz" }, { name: "note", type: "text" }],
  primaryKey: ${JSON.stringify(primaryKey)}, ${declared},
}, { provider });
`;
}

/** The application changes rows with negative ids only; those of `written` are the same. */
const CHANGED = 10_000;

async function fill(connection: Connection, { table, at }: Case): Promise<void> {
  await withClient(connection, async (client) => {
    await client.query(`INSERT INTO ${table} SELECT g, ${at}, repeat('x', 40) FROM generate_series(1, ${ROWS}) g`);
    await client.query(`INSERT INTO ${table} SELECT -g, ${at}, 'y' FROM generate_series(1, ${CHANGED}) g`);
    await client.query(`CREATE TABLE written AS SELECT * FROM ${table} WHERE id < 0`);
    await client.query("ALTER TABLE written ADD PRIMARY KEY (id)");
    await client.query(`CREATE TABLE fixed AS SELECT ${CONTENT} FROM ${table} t WHERE id > 0`);
    await client.query(`CREATE SEQUENCE ids INCREMENT -1 START ${-CHANGED - 1}`);
    await client.query("VACUUM ANALYZE");
  });
}

/** Of a table that the query calls `t`. */
const CONTENT = "count(*) AS rows, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) AS hash";

/** Each statement changes the table and `written` alike, or fails. */
function jobsOf({ table, at }: Case): string[][] {
  const known = `(SELECT -1 - floor(random() * ${CHANGED})::bigint)`;
  return [
    [`SELECT 1 / (count(*) = 1000)::int FROM ${table} WHERE id BETWEEN 5001 AND 6000`],
    [`SELECT 1 / (count(*) = 1)::int FROM ${table} WHERE id = ${known}`],
    [
      `WITH u AS (UPDATE ${table} SET note = clock_timestamp()::text WHERE id = ${known} RETURNING id, note),
        w AS (UPDATE written t SET note = u.note FROM u WHERE t.id = u.id RETURNING 1) SELECT 1 / count(*) FROM w`,
      `WITH a AS (INSERT INTO ${table} SELECT g, ${at}, 'z' FROM nextval('ids') g RETURNING *)
        INSERT INTO written SELECT * FROM a`,
      `WITH d AS (DELETE FROM ${table} WHERE id = (SELECT max(id) FROM written WHERE id < ${-CHANGED}) RETURNING id),
        w AS (DELETE FROM written t USING d WHERE t.id = d.id RETURNING 1) SELECT 1 / count(*) FROM w`,
    ],
  ];
}

async function beside(database: TestDatabase, one: Case, work: () => Promise<unknown>): Promise<Seen> {
  const load = await startLoad(database, jobsOf(one));
  await pause(CALM_MS);
  const started = performance.now();
  const time = await seconds(work);
  const ended = performance.now();
  await pause(CALM_MS);
  await load.stop();
  const same = await isSame(database.connection, one);
  return { seconds: time, ...seenBetween(load, started, ended), failures: load.failures, same };
}

function seenBetween({ statements }: Load, from: number, to: number): Pick<Seen, "statements" | "longest"> {
  const during = statements.filter(({ started, ms }) => started + ms > from && started <= to);
  return { statements: during.length, longest: during.reduce((longest, { ms }) => Math.max(longest, ms), 0) };
}

/** Also gives the tables the statistics that autovacuum would soon have brought. */
function isSame(connection: Connection, { table }: Case): Promise<boolean> {
  return withClient(connection, async (client) => {
    await client.query("VACUUM ANALYZE");
    const { rows } = await client.query<{ same: boolean }>(
      `SELECT (n.rows, n.hash) = (f.rows + w.rows, f.hash + w.hash) AS same
       FROM (SELECT ${CONTENT} FROM ${table} t) n, fixed f, (SELECT ${CONTENT} FROM written t) w`,
    );
    return rows[0]?.same ?? false;
  });
}

/** Everything into a new table, and a swap of names, for which the application waits from the beginning. */
function rebuild(connection: Connection, { table, key }: Case, { bounds }: Stage): Promise<void> {
  return withClient(connection, async (client) => {
    const parts = bounds.map((bound, at) => `CREATE TABLE ${table}_new_${at} PARTITION OF made FOR VALUES ${bound};`);
    await client.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE;
      CREATE TABLE made (LIKE ${table} INCLUDING ALL) PARTITION BY ${key}; ${parts.join(" ")}
      INSERT INTO made SELECT * FROM ${table};
      DROP TABLE ${table}; ALTER TABLE made RENAME TO ${table}; COMMIT`);
    const rename = bounds.map((_, at) => `ALTER TABLE ${table}_new_${at} RENAME TO ${table}_${bounds.length}_${at};`);
    await client.query(rename.join(" "));
  });
}

async function withClient<T>(connection: Connection, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(connection);
  await client.connect();
  try {
    await client.query("SET TimeZone = 'UTC'");
    return await work(client);
  } finally {
    await client.end();
  }
}

/** A database of the same content, as a file copy. */
async function copyOf({ connection }: TestDatabase): Promise<TestDatabase> {
  const server = await testServer(18);
  const copy = await server.createDatabase();
  await withClient({ ...connection, database: "postgres" }, async (client) => {
    await client.query(`DROP DATABASE ${copy.connection.database}`);
    await client.query(
      `CREATE DATABASE ${copy.connection.database} TEMPLATE ${connection.database} STRATEGY file_copy`,
    );
  });
  return copy;
}
