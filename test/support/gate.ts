/** A gate before statements of somebody else's session: it stops in the very moment in which one begins. */
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "pg";

const GATE = 42;
const POLL_MS = 10;

/** DDL whose text is like `pattern` waits from now on until this client opens the gate, or ends. */
export async function makeGate(client: Client, pattern: string): Promise<void> {
  await client.query(`
    CREATE OR REPLACE FUNCTION public.gate() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF current_query() LIKE '${pattern}' THEN
        PERFORM pg_advisory_lock_shared(${GATE});
        PERFORM pg_advisory_unlock_shared(${GATE});
      END IF;
    END $$;
    DROP EVENT TRIGGER IF EXISTS gate;
    CREATE EVENT TRIGGER gate ON ddl_command_start EXECUTE FUNCTION public.gate();
    SELECT pg_advisory_lock(${GATE});`);
}

/** Resolves when somebody waits at the gate. */
export function atTheGate(client: Client): Promise<void> {
  return untilWaiting(client, true);
}

/** Resolves when nobody does any more. */
export function awayFromTheGate(client: Client): Promise<void> {
  return untilWaiting(client, false);
}

async function untilWaiting(client: Client, wanted: boolean): Promise<void> {
  for (;;) {
    const { rows } = await client.query(
      "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted",
      [GATE],
    );
    if (rows.length > 0 === wanted) return;
    await pause(POLL_MS);
  }
}

export async function openGate(client: Client): Promise<void> {
  await client.query("SELECT pg_advisory_unlock_all()");
}
