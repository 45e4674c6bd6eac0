/**
 * What `npm start` shows: the declared tables come up in a real database, rows flow in, time moves on by one month, and
 * the next preview shows exactly what that changes: partitions come, others go into the archive. Then a pin brings one back.
 * Run again, it finds everything done and says so.
 */
import type { Client } from "pg";
import { build } from "../build";
import { errorMessage, type Log } from "../processes";
import { connectToDevDatabase, type DevEnvironment, ensureDevEnvironment } from "./environment";
import { nextMonth } from "./next-month";
import { canPreview, pulumi, readAsOf, readOldestMonth, selectStack, setAsOf, setPin } from "./pulumi-cli";
import { type Clock, readClock, renewStackFiles, writeClock } from "./stack-files";

/** The application's side: what its migrations make before partitioning, and what it writes. */
export interface Application {
  /** Types, functions and referenced tables; idempotent. */
  applyPrerequisites(client: Client): Promise<void>;
  /** Rows through the partitioned parents, around `asOf`; idempotent. */
  insertRows(client: Client, options: { asOf: string }, log: Log): Promise<{ table: string; rows: number }[]>;
}

/** A phase that failed; its message is complete, what the phase printed stands above it. */
export class PhaseFailure extends Error {}

/**
 * Does the whole job.
 * @throws {PhaseFailure} naming the phase that failed and why.
 */
export async function mainJob(application: Application, log: Log): Promise<void> {
  const environment = await phase("Set-up: PostgreSQL 18 and the Pulumi engine", async () => {
    const ready = await ensureDevEnvironment(log);
    log(`PostgreSQL 18 listens on ${ready.server.host}:${ready.server.port}`);
    return ready;
  });
  await phase("Build: the provider", async () => {
    const built = await build(log);
    log(built ? "Built into dist" : "Up to date");
  });
  await phase("Prerequisites: what the applications' own migrations make", () =>
    withDatabase(environment, (client) => application.applyPrerequisites(client)),
  );
  const clock = await phase("Stack: the point in time", () => prepareStack(environment, log));
  const hasMoved = clock.from !== clock.to;
  await (hasMoved ? converge(environment) : firstRun(environment, application, clock.from, log));
}

/** Everything from the first preview to the one that shows nothing any more. */
async function firstRun(environment: DevEnvironment, application: Application, asOf: string, log: Log): Promise<void> {
  await previewAndApply(environment, `asOf ${asOf}`);
  await phase("Rows: the applications write through the parents", () =>
    withDatabase(environment, async (client) => {
      for (const { table, rows } of await application.insertRows(client, { asOf }, log)) log(rowsText(table, rows));
    }),
  );
  const before = await countConversations(environment);
  const next = nextMonth(asOf);
  await phase(`Time: asOf moves from ${asOf} to ${next}`, async () => {
    await setAsOf(environment, next);
    // At once: should what follows be interrupted, the next run must go on from here and not move time back.
    await writeClock({ from: asOf, to: next });
    log(`pulumi config set asOf ${next}`);
  });
  await previewAndApply(environment, `asOf ${next}`);
  const oldest = await readOldestMonth(environment);
  const pin = { from: oldest, to: nextMonth(oldest) };
  await phase(`Pin: the conversations of ${oldest} are wanted back from the archive`, async () => {
    await setPin(environment, pin);
    await writeClock({ from: asOf, to: next, pin });
    log(`pulumi config set windows.conversationMessages.pins from ${pin.from} to ${pin.to}`);
  });
  await previewAndApply(environment, `${oldest} pinned`);
  await phase("Rows: the conversations that were archived are all there again", async () => {
    const after = await countConversations(environment);
    if (after !== before) throw new Error(`${CONVERSATIONS} had ${before} rows and has ${after} now`);
    log(rowsText(CONVERSATIONS, after));
  });
  await phase("Check: nothing is left to change", () =>
    command(environment, ["preview", "--expect-no-changes"], "The preview still shows changes."),
  );
}

/** A later run: an empty preview, unless somebody has changed the declaration or the database since. */
async function converge(environment: DevEnvironment): Promise<void> {
  const isEmpty = await phase("Preview: what has changed since the last run", async () => {
    const status = await pulumi(environment, ["preview", "--expect-no-changes"]);
    if (status !== 0 && !(await canPreview(environment))) {
      throw new Error(PREVIEW_FAILED);
    }
    return status === 0;
  });
  if (isEmpty) {
    return;
  }
  await phase("Apply: the changes shown above", () => command(environment, UP, "The changes were not applied."));
  await phase("Check: nothing is left to change", () =>
    command(environment, ["preview", "--expect-no-changes"], "The preview still shows changes."),
  );
}

const PREVIEW_FAILED = "The preview failed.";
const UP = ["up", "--yes", "--skip-preview"];

async function previewAndApply(environment: DevEnvironment, when: string): Promise<void> {
  await phase(`Preview: ${when}`, () => command(environment, ["preview"], PREVIEW_FAILED));
  await phase(`Apply: ${when}`, () => command(environment, UP, "The changes were not applied."));
}

/** Makes the stack, and puts its clock where the last run left it. */
async function prepareStack(environment: DevEnvironment, log: Log): Promise<Clock> {
  await renewStackFiles();
  await selectStack(environment);
  const committed = await readAsOf(environment);
  const clock = await readClock();
  if (clock === undefined || clock.from !== committed) {
    log(`asOf is ${committed}`);
    return { from: committed, to: committed };
  }
  await setAsOf(environment, clock.to);
  if (clock.pin !== undefined) await setPin(environment, clock.pin);
  log(`asOf is ${clock.to}: an earlier run has moved it on from ${clock.from} (npm run dev:reset starts over)`);
  return clock;
}

async function command(environment: DevEnvironment, args: readonly string[], failure: string): Promise<void> {
  const status = await pulumi(environment, args);
  if (status !== 0) {
    throw new Error(`${failure} (pulumi ${args[0]} ended with exit status ${status})`);
  }
}

const CONVERSATIONS = 'public."ConversationMessage"';

async function countConversations(environment: DevEnvironment): Promise<number> {
  const text = `SELECT count(*)::int AS n FROM ${CONVERSATIONS}`;
  const { rows } = await withDatabase(environment, (client) => client.query<{ n: number }>(text));
  return rows[0]?.n ?? 0;
}

function rowsText(table: string, rows: number): string {
  return `${table}: ${rows.toLocaleString("en-US")} rows`;
}

async function withDatabase<T>(environment: DevEnvironment, action: (client: Client) => Promise<T>): Promise<T> {
  const client = await connectToDevDatabase(environment.server);
  try {
    return await action(client);
  } finally {
    await client.end();
  }
}

async function phase<T>(title: string, action: () => Promise<T>): Promise<T> {
  process.stdout.write(`\n== ${title}\n`);
  try {
    return await action();
  } catch (error) {
    throw new PhaseFailure(`FAILED: ${title}\n${errorMessage(error)}`);
  }
}
