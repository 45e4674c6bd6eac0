/**
 * Tells a session of the server from one that a proxy only pretends: PgBouncer with `pool_mode = transaction` and its like
 * give each transaction whatever session of the server is free. Advisory locks, settings and time-outs would be lost, or
 * left to somebody else's transactions.
 */
import type { Client } from "pg";

/** How often two sessions are compared: beside other users of a proxy one look may meet two free sessions by chance. */
const LOOKS = 3;

/**
 * True when two clients are served by one session of the server, or one client by several. Takes nothing and leaves nothing
 * there. `another` opens a second connection, which is not done without a proxy.
 */
export async function isPooledByTransaction(client: Client, another: () => Promise<Client>): Promise<boolean> {
  const first = await backendOf(client);
  // The server tells its own process id at the begin of a session; a proxy has to make one up.
  if (first === announcedBy(client)) return false;
  const other = await another();
  try {
    for (let look = 0; look < LOOKS; look++) {
      const its = await backendOf(other);
      if (its === (await backendOf(client)) || (await backendOf(client)) !== first) return true;
    }
    return false;
  } finally {
    await other.end();
  }
}

function announcedBy(client: Client): number | undefined {
  return "processID" in client && typeof client.processID === "number" ? client.processID : undefined;
}

async function backendOf(client: Client): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>("SELECT pg_catalog.pg_backend_pid() AS pid");
  return rows[0]?.pid;
}
