/**
 * Has the provider die in the middle of an update, as far as the server can tell: from some statement on its sessions send
 * nothing more and are gone. What it would do about that is not done either, since every further statement fails.
 */
import { Client } from "pg";
import { pause } from "../../tools/processes";

/** How the provider's sessions are called. */
const PROVIDER = "pulumi-pgpartition";

const POLL_MS = 5;

type Query = (this: Client, ...args: unknown[]) => unknown;

/** What @types/pg leaves out. */
interface Inside {
  connectionParameters: { application_name?: string };
  connection: { stream: { destroy(): void } };
  processID: number;
}

/** Statements that may still be sent, and the sessions that have wanted to send more. */
interface Countdown {
  left: number;
  dead: Set<number>;
}

const countdowns = new Map<string, Countdown>();

let mortal = false;

export function makeMortal(): void {
  if (mortal) return;
  mortal = true;
  const query: Query = Client.prototype.query;
  const counted: Query = function (...args) {
    const { connectionParameters, connection, processID } = this as unknown as Inside;
    const countdown = countdowns.get(this.database ?? "");
    if (countdown === undefined || connectionParameters.application_name !== PROVIDER) return query.apply(this, args);
    if (countdown.left > 0) {
      countdown.left -= 1;
      return query.apply(this, args);
    }
    countdown.dead.add(processID);
    connection.stream.destroy();
    return Promise.reject(new Error("the provider is dead"));
  };
  Object.assign(Client.prototype, { query: counted });
}

/** Returns when the server has noticed; true when it came to that. */
export async function killedAfter(
  statements: number,
  witness: Client,
  action: () => Promise<unknown>,
): Promise<boolean> {
  const countdown: Countdown = { left: statements, dead: new Set() };
  const database = witness.database ?? "";
  countdowns.set(database, countdown);
  try {
    await action().catch((error: unknown) => {
      if (countdown.dead.size === 0) throw error;
    });
  } finally {
    countdowns.delete(database);
  }
  for (;;) {
    const { rows } = await witness.query("SELECT FROM pg_stat_activity WHERE pid = ANY ($1)", [[...countdown.dead]]);
    if (rows.length === 0) return countdown.dead.size > 0;
    await pause(POLL_MS);
  }
}
