/** The one process behind one Provider resource: its connection, its log, and when it has to stop. */

import { Claims } from "./claims";
import { connectionOf } from "./config";
import { Database } from "./database";
import { EngineLog } from "./engineLog";
import { MAX_MESSAGE_BYTES } from "./limits";
import type { Properties } from "./values";

/** How often the process looks whether its engine is still there. */
const ENGINE_CHECK_MS = 1000;

export class ProviderProcess {
  readonly log: EngineLog;
  readonly claims = new Claims();
  readonly maxMessageBytes = MAX_MESSAGE_BYTES;
  private readonly abort = new AbortController();
  private configured: Database | undefined;

  constructor(engineAddress: string) {
    this.log = new EngineLog(engineAddress);
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  configure(config: Properties): void {
    this.configured = new Database(connectionOf(config));
  }

  /** Opens no connection by itself; throws when the engine never configured the provider. */
  database(): Database {
    if (this.configured === undefined) throw new Error("The pgpartition provider was used before it was configured.");
    return this.configured;
  }

  /** Comes on Ctrl-C and at every normal end; the engine waits 5 s. A second call does nothing. */
  async cancel(): Promise<void> {
    if (this.abort.signal.aborted) return;
    this.abort.abort();
    await this.configured?.cancel();
  }

  /**
   * After `kill -9` of the engine this process would live on, and its session and advisory lock would block the next
   * `up`. It notices by its parent process and by the engine's channel, cancels its statements, and exits.
   */
  exitWithEngine(): void {
    const parent = process.ppid;
    let broken = 0;
    const timer = setInterval(() => {
      broken = this.log.isBroken() ? broken + 1 : 0;
      if (process.ppid === parent && broken < 3) return;
      clearInterval(timer);
      this.cancel().finally(() => process.exit(1));
    }, ENGINE_CHECK_MS);
    timer.unref();
  }
}
