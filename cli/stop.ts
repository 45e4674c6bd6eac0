/** What a command does when it is told to stop: it ends in order, so that no statement of it goes on in the server. */
import { constants } from "node:os";
import type { Streams } from "./streams";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** The command was told to stop, and has. */
export class Stopped extends Error {
  override name = "Stopped";
  /** As a shell tells of a process that a signal has ended. */
  readonly status: number;

  constructor(signal: (typeof SIGNALS)[number]) {
    super(`Stopped by ${signal}. Nothing is left half done: the same command does the rest.`);
    this.status = 128 + constants.signals[signal];
  }
}

/**
 * Runs an action that is told of SIGINT and SIGTERM. A second one ends the process at once: the store or the server may not
 * answer.
 * @throws Stopped when the action has given up for that reason.
 */
export async function stoppable<T>({ err }: Streams, action: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const listeners = SIGNALS.map((name) => [name, () => stop(name)] as const);
  const forget = () => {
    for (const [name, listener] of listeners) process.removeListener(name, listener);
  };
  const stop = (name: (typeof SIGNALS)[number]) => {
    forget();
    err(`Stopping (${name}). Once more ends it at once.\n`);
    controller.abort(new Stopped(name));
  };
  for (const [name, listener] of listeners) process.on(name, listener);
  try {
    return await action(controller.signal);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    forget();
  }
}
