/** The provider's one database, opened when a resource first needs it. */
import { Sessions } from "../postgres/connection";
import { ConnectionError } from "../postgres/errors";
import { type LockLadder, ladderOf } from "../postgres/ladder";
import { MissingCertificate } from "../postgres/settings";
import type { ProviderConfig } from "./config";

/** The message without its full stop, so that it can stand within a sentence. */
const oneSentence = ({ message }: Error): string => message.replace(/\.$/, "");

export class Database {
  private opened: Sessions | undefined;

  constructor(readonly config: ProviderConfig) {}

  /** @throws RangeError when the configuration cannot be used. */
  get sessions(): Sessions {
    this.opened ??= new Sessions(this.config);
    return this.opened;
  }

  /** How long and how often locks are tried for. */
  get ladder(): LockLadder {
    const { lockTimeoutMs, lockBudgetSeconds } = this.config;
    return ladderOf(lockTimeoutMs, lockBudgetSeconds === undefined ? undefined : lockBudgetSeconds * 1000);
  }

  /** `host:port/database`, for people. */
  get target(): string {
    return this.sessions.target;
  }

  /** Cancels running statements and closes every session. */
  async cancel(): Promise<void> {
    await this.opened?.cancelAll();
  }

  /**
   * Runs the read; when no session can be opened and `fallback` is given (a preview), reports why in one line and
   * returns the fallback's result instead.
   */
  async orElse<T>(read: () => Promise<T>, fallback: (reason: string) => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (error instanceof ConnectionError || error instanceof MissingCertificate) return fallback(oneSentence(error));
      throw error;
    }
  }
}
