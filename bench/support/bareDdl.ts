/** The rival of an `up`: the statements that it sends, by hand and over one connection. */
import { Client } from "pg";
import { ATTACH_BATCH, FRESH_BATCH } from "../../topology/plan";

/** A RANGE partition, as the set's outputs have it. */
export interface Bound {
  from: string;
  to: string;
}

export type Bounds = Record<string, Bound>;

/** Opens one connection, runs the work and closes it. */
async function connected(connection: object, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client(connection);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

async function inBatches(
  client: Client,
  bounds: Bounds,
  size: number,
  write: (name: string, bound: Bound) => string[],
): Promise<void> {
  const entries = Object.entries(bounds);
  for (let start = 0; start < entries.length; start += size) {
    await client.query("BEGIN");
    for (const [name, bound] of entries.slice(start, start + size)) {
      for (const sql of write(name, bound)) await client.query(sql);
    }
    await client.query("COMMIT");
  }
}

export function createParent(connection: object): Promise<void> {
  return connected(connection, async (client) => {
    await client.query(
      "CREATE TABLE events (id bigint NOT NULL, created_at timestamptz NOT NULL, payload text, PRIMARY KEY (id, created_at)) PARTITION BY RANGE (created_at)",
    );
  });
}

/** The partitions, as they are made while nobody can be using the parent. */
export function createFresh(connection: object, bounds: Bounds): Promise<void> {
  return connected(connection, (client) =>
    inBatches(client, bounds, FRESH_BATCH, (name, { from, to }) => [
      `CREATE TABLE ${name} PARTITION OF events FOR VALUES FROM ('${from}') TO ('${to}')`,
    ]),
  );
}

/** Partitions added to a parent in use, so many in a transaction; beside a DEFAULT partition each has one of its own. */
export function addToLive(connection: object, bounds: Bounds, batch: number = ATTACH_BATCH): Promise<void> {
  return connected(connection, (client) =>
    inBatches(client, bounds, batch, (name, { from, to }) => [
      `CREATE TABLE ${name} (LIKE events INCLUDING ALL EXCLUDING IDENTITY)`,
      `ALTER TABLE events ATTACH PARTITION ${name} FOR VALUES FROM ('${from}') TO ('${to}')`,
    ]),
  );
}

export function addDefault(connection: object): Promise<void> {
  return connected(connection, async (client) => {
    await client.query("CREATE TABLE events_default PARTITION OF events DEFAULT");
  });
}
