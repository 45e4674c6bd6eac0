/**
 * Compares what statements say about their locks with what the server shows. Every statement that the module can issue
 * goes through here: whoever adds one calls {@link expectPredictedLocks} with it, in each situation that changes its locks.
 */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Client } from "pg";
import { from } from "pg-copy-streams";
import { hasSqlstate, SQLSTATE } from "../../../postgres/errors";
import { conflicts, strongest } from "../../../postgres/locks";
import { LOCK_MODES, type LockMode, type Statement } from "../../../postgres/statement";
import type { TestDatabase } from "../../support/postgres";

/** Long enough for a statement that nobody is in the way of, short enough to wait for dozens of times. */
const WAIT_MS = 60;

/** What the server shows: the strongest mode on each relation, by qualified name. */
type Traced = Record<string, LockMode>;

let compared = new Set<string>();

/** From now on the SQL of all statements that were compared is found in the set that this gives. */
export function recordCompared(): ReadonlySet<string> {
  compared = new Set();
  return compared;
}

/**
 * Runs the statements and compares, after each of them, the locks that it holds with those it declares. Each has a
 * transaction and a session of its own, so that neither an earlier statement nor a warm cache hides a lock; what they do
 * stays done. Indexes count when they are locked more strongly than their table. For a statement that no transaction may
 * hold there is {@link expectPredictedWaits}. `copied`: lines for a COPY FROM STDIN.
 */
export async function expectPredictedLocks(
  database: TestDatabase,
  statements: Statement[],
  copied: readonly string[] = [],
): Promise<void> {
  const settings: string[] = [];
  // What a statement locks is told by the name that it has before all of them.
  const names = await relations(await witnessOf(database));
  for (const statement of statements) {
    if (statement.sql.startsWith("SET LOCAL")) settings.push(statement.sql);
    else await expectHeld(database, statement, settings, { names, copied });
  }
}

async function expectHeld(
  database: TestDatabase,
  statement: Statement,
  settings: string[],
  { names, copied }: { names: Map<number, Relation>; copied: readonly string[] },
): Promise<void> {
  const witness = await witnessOf(database);
  const before = new Map([...(await relations(witness)), ...names]);
  const client = await database.client("traced");
  try {
    const pid = await begin(client, settings);
    if (statement.fills) await pipeline(Readable.from(copied), client.query(from(statement.sql)));
    else await client.query(statement.sql);
    const traced = await heldBy({ client, pid }, witness, before);
    await client.query("COMMIT");
    const predicted = strongest(statement.locks).map(({ relation, mode }) => [relation, mode]);
    assert.deepEqual(traced, Object.fromEntries(predicted), statement.sql);
    compared.add(statement.sql);
  } finally {
    await client.end();
  }
}

/**
 * Compares the locks that statements of one transaction hold together, as some need what those before them have locked.
 * Tables that the transaction makes are in nobody's way and are left out. `parametersOf` gives what a statement is sent with.
 */
export async function expectPredictedTogether(
  database: TestDatabase,
  statements: Statement[],
  parametersOf: (sql: string) => unknown[] | undefined = () => undefined,
): Promise<void> {
  const witness = await witnessOf(database);
  const before = await relations(witness);
  const client = await database.client("traced");
  try {
    const pid = await begin(client);
    for (const { sql } of statements) await client.query(sql, parametersOf(sql));
    const traced = await heldBy({ client, pid }, witness, before);
    await client.query("COMMIT");
    const known = new Set([...before.values()].map(({ name }) => name));
    const met = (modes: Traced) =>
      Object.fromEntries(Object.entries(modes).filter(([relation]) => known.has(relation)));
    const locks = strongest(statements.flatMap((statement) => statement.locks));
    const predicted = Object.fromEntries(locks.map(({ relation, mode }) => [relation, mode]));
    assert.deepEqual(met(traced), met(predicted), statements.map(({ sql }) => sql).join("\n"));
    for (const { sql } of statements) compared.add(sql);
  } finally {
    await client.end();
  }
}

const witnesses = new WeakMap<TestDatabase, Promise<Client>>();

/** A session beside those that are traced, which looks thousands of times and has its queries planned once. */
function witnessOf(database: TestDatabase): Promise<Client> {
  const known = witnesses.get(database);
  if (known !== undefined) return known;
  const opened = database.client("witness");
  witnesses.set(database, opened);
  return opened;
}

/** Begins a transaction, and gives the process id of its session. */
async function begin(client: Client, settings: readonly string[] = []): Promise<number> {
  const results = await client.query(["BEGIN", ...settings, "SELECT pg_backend_pid() AS pid"].join("; "));
  return [results].flat().at(-1)?.rows[0].pid;
}

interface Relation {
  name: string;
  /** OID of its table when it is an index. */
  indexOf: number | null;
}

const RELATIONS = `SELECT c.oid, format('"%s"."%s"', n.nspname, c.relname) AS name, x.indrelid AS "indexOf"
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_index x ON x.indexrelid = c.oid
  WHERE c.relkind IN ('r', 'p', 'f', 'i', 'I') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'`;

async function relations(client: Client): Promise<Map<number, Relation>> {
  const { rows } = await client.query<Relation & { oid: number }>({ name: "relations", text: RELATIONS });
  return new Map(rows.map(({ oid, name, indexOf }) => [oid, { name, indexOf }]));
}

const HELD = "SELECT relation, mode FROM pg_locks WHERE pid = $1 AND locktype = 'relation' AND granted";

/** OIDs below are those of the server's own catalog. */
const FIRST_OID_OF_USERS = 16384;

/** An index that the transaction itself makes is nobody else's; a table is shown, as the statement's own effect. */
async function heldBy(
  { client, pid }: { client: Client; pid: number },
  witness: Client,
  before: Map<number, Relation>,
): Promise<Traced> {
  const { rows } = await witness.query<{ relation: number; mode: string }>({ name: "held", text: HELD, values: [pid] });
  // What the transaction has made nobody else can see.
  const isNew = rows.some(({ relation }) => relation >= FIRST_OID_OF_USERS && !before.has(relation));
  const now = isNew ? await relations(client) : before;
  const after = [...now].filter(([oid, { indexOf }]) => before.has(oid) || indexOf === null);
  const known = new Map([...after, ...before]);
  const modes = new Map<number, LockMode>();
  for (const { relation, mode } of rows) {
    const found = modeOf(mode);
    if (known.has(relation) && rank(found) > rank(modes.get(relation))) modes.set(relation, found);
  }
  const shown = [...modes].filter(([oid, mode]) => {
    const table = known.get(oid)?.indexOf;
    return table == null || rank(mode) > rank(modes.get(table));
  });
  return Object.fromEntries(shown.map(([oid, mode]) => [known.get(oid)?.name, mode]));
}

function modeOf(mode: string): LockMode {
  const found = LOCK_MODES.find((known) => `${known.replaceAll(" ", "")}LOCK` === mode.toUpperCase());
  assert.ok(found, mode);
  return found;
}

function rank(mode: LockMode | undefined): number {
  return mode === undefined ? -1 : LOCK_MODES.indexOf(mode);
}

/**
 * For a statement that no transaction may hold: beside each lock that somebody else can have on a relation, does it
 * wait exactly when it says so? `reset` brings the tables back, whether it was carried out or broken off.
 */
export async function expectPredictedWaits(
  database: TestDatabase,
  statement: Statement,
  reset: (client: Client) => Promise<void>,
): Promise<void> {
  const { locks, waitsFor = [], waitsForWriters = [] } = statement;
  const holder = await database.client("holder");
  const tables = [...(await relations(holder)).values()].filter(({ indexOf }) => indexOf === null);
  for (const { name: relation } of tables) {
    const wanted = locks.find((lock) => lock.relation === relation)?.mode;
    const named = wanted !== undefined || waitsFor.includes(relation);
    // Nothing waits for what it does not use, not even behind the strongest lock.
    for (const held of named ? LOCK_MODES : LOCK_MODES.slice(-1)) {
      const predicted =
        waitsFor.includes(relation) ||
        (waitsForWriters.includes(relation) && conflicts("SHARE", held)) ||
        (wanted !== undefined && conflicts(wanted, held));
      await holder.query(`BEGIN; LOCK TABLE ONLY ${relation} IN ${held} MODE`);
      // A session of its own: a warm cache would hide a lock.
      const client = await database.client("traced");
      await client.query(`SET lock_timeout = ${WAIT_MS}`);
      const waited = await isTimedOut(client, statement.sql);
      await holder.query("ROLLBACK");
      await client.end();
      assert.equal(waited, predicted, `${statement.sql} beside ${held} on ${relation}`);
      await reset(holder);
    }
  }
  compared.add(statement.sql);
  await holder.end();
}

async function isTimedOut(client: Client, sql: string): Promise<boolean> {
  try {
    await client.query(sql);
    return false;
  } catch (error) {
    if (hasSqlstate(error, SQLSTATE.lockNotAvailable)) return true;
    throw error;
  }
}
