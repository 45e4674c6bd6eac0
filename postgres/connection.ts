/** Sessions on one database: opened when needed, pinned to known settings, and thrown away when anything is in doubt. */
import type { Readable, Writable } from "node:stream";
import { Client, type ClientConfig, DatabaseError } from "pg";
import { ConnectionError, errorCode, explainError } from "./errors";
import { PooledSession } from "./pooledSession";
import { isPooledByTransaction } from "./pooler";
import { type ConnectionArgs, type ConnectionSettings, resolveSettings, type TlsSettings } from "./settings";

export type { ConnectionArgs } from "./settings";

export type Row = Record<string, unknown>;

/** One session of the database. */
export interface Session {
  /** Process id of the server's backend. */
  readonly pid: number;
  /** True while its user cancels its statements, at places where nothing is left half done; nobody else may then. */
  cancelledByUser?: boolean;
  /** Sends one statement. Without parameters it goes as a simple query, as DETACH CONCURRENTLY demands. */
  query<R extends Row = Row>(sql: string, parameters?: unknown[]): Promise<R[]>;
  /**
   * BEGIN, the action, COMMIT; on any error ROLLBACK and the error again. A session whose ROLLBACK fails is not used again.
   */
  transaction<T>(action: () => Promise<T>): Promise<T>;
  /** True once the connection is known to be of no more use. */
  readonly broken?: boolean;
  /** Sends `COPY … TO STDOUT` and has its text read; an error of `read`, or of `see`, which is shown each piece before, cancels the COPY. */
  copyOut<T>(sql: string, read: (text: Readable) => Promise<T>, see?: (piece: Buffer) => void): Promise<T>;
  /**
   * Sends `COPY … FROM STDIN` and has its text written, which `write` ends; an error of `write` fails the COPY. Gives the
   * number of rows that PostgreSQL says it took.
   */
  copyIn(sql: string, write: (text: Writable) => Promise<void>): Promise<number>;
}

/**
 * Settings of role, database and server must change neither what is read nor what is written. Time-outs are ours: what a
 * role has set for its application would break a validating scan. Between two statements of a transaction we take
 * milliseconds. A machine that has gone to sleep or lost its network there would hold the locks until somebody noticed, so the
 * server ends it; and it asks soon whether a client that is silent is still there.
 */
const PINNED: Record<string, string> = {
  search_path: "",
  TimeZone: "UTC",
  DateStyle: "ISO, YMD",
  IntervalStyle: "postgres",
  standard_conforming_strings: "on",
  bytea_output: "hex",
  lc_monetary: "C",
  xmloption: "content",
  extra_float_digits: "1",
  // Off, NULL in the text of an array is the word.
  array_nulls: "on",
  quote_all_identifiers: "off",
  client_min_messages: "warning",
  lock_timeout: "0",
  statement_timeout: "0",
  idle_in_transaction_session_timeout: "10s",
  tcp_keepalives_idle: "30",
  tcp_keepalives_interval: "10",
  tcp_keepalives_count: "3",
  idle_session_timeout: "0",
  default_transaction_isolation: "read committed",
};

const PIN = `SELECT pg_catalog.pg_backend_pid() AS pid, ${Object.entries(PINNED)
  .map(([name, value]) => `pg_catalog.set_config('${name}', '${value}', false)`)
  .join(
    ", ",
  )}, (SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name = 'transaction_timeout')`;

/** At most `maxConnections` sessions; who asks for one more waits until one is given back. */
export class Sessions {
  readonly settings: ConnectionSettings;
  private readonly idle: PooledSession[] = [];
  private readonly used = new Set<PooledSession>();
  private readonly waiting: (() => void)[] = [];
  private opening = 0;
  private closed = false;
  /** The first attempt to open a session, until it has shown that there is a server. */
  private first: Promise<void> | undefined;
  private answered = false;
  /** Sessions have been seen to be the server's own. */
  private trusted = false;

  /** Opens no connection. @throws RangeError when the arguments cannot be used. */
  constructor(args: ConnectionArgs, environment: Record<string, string | undefined> = process.env) {
    this.settings = resolveSettings(args, environment);
  }

  /** `host:port/database`, for people. */
  get target(): string {
    const { host, port, database } = this.settings;
    return `${host}:${port}/${database}`;
  }

  /**
   * Runs the action with a session of its own. When the action fails the session is closed, not used again: nobody knows
   * what state it is in.
   * @throws ConnectionError when no session can be opened.
   */
  async withSession<T>(action: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.acquire();
    let healthy = false;
    try {
      const result = await action(session);
      healthy = true;
      return result;
    } finally {
      await this.release(session, healthy && !session.broken);
    }
  }

  /**
   * The same with a session that nobody else asks for at this moment.
   * @returns false, and nothing was done, when there is none or the server gives no other one.
   */
  async withSpareSession(action: (session: Session) => Promise<void>): Promise<boolean> {
    if (this.isContended || (this.idle.length === 0 && !this.mayOpen())) return false;
    let begun = false;
    try {
      await this.withSession((session) => {
        begun = true;
        return action(session);
      });
    } catch (error) {
      if (begun) throw error;
    }
    return begun;
  }

  /** Somebody waits for a session. */
  get isContended(): boolean {
    return this.waiting.length > 0;
  }

  /**
   * Asks the server to cancel what this session is waiting for or doing. A connection is opened for that; `still` is asked
   * when it is there.
   */
  async cancel(pid: number, still: () => boolean = () => true): Promise<void> {
    const canceller = await this.open();
    try {
      if (still()) await canceller.query("SELECT pg_catalog.pg_cancel_backend($1)", [pid]);
    } finally {
      await canceller.client.end();
    }
  }

  /** Cancels every running statement that nobody else does, and closes all sessions; may be called again. */
  async cancelAll(): Promise<void> {
    this.closed = true;
    const running = [...this.used].filter((session) => session.busy && !session.cancelledByUser);
    await Promise.allSettled(running.map((session) => this.cancel(session.pid, () => session.busy)));
    await this.close();
  }

  /** No new sessions; idle ones are closed now, used ones when they are given back. */
  async close(): Promise<void> {
    this.closed = true;
    for (const wake of this.waiting.splice(0)) wake();
    await Promise.allSettled(this.idle.splice(0).map(({ client }) => client.end()));
  }

  private async acquire(): Promise<PooledSession> {
    while (!this.closed) {
      const session = this.idle.pop();
      if (session && !session.broken) {
        this.used.add(session);
        return session;
      }
      if (session === undefined && this.mayOpen()) return this.openUsed();
      if (session === undefined) await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    throw new ConnectionError(`The sessions on ${this.target} are closed.`, undefined);
  }

  private mayOpen(): boolean {
    return this.used.size + this.opening < this.settings.maxConnections;
  }

  private async openUsed(): Promise<PooledSession> {
    this.opening += 1;
    try {
      const session = await this.open();
      this.used.add(session);
      return session;
    } finally {
      this.opening -= 1;
      if (this.used.size < this.settings.maxConnections) this.waiting.shift()?.();
    }
  }

  private async release(session: PooledSession, healthy: boolean): Promise<void> {
    this.used.delete(session);
    if (healthy && !this.closed) this.idle.push(session);
    this.waiting.shift()?.();
    if (!healthy || this.closed) await session.client.end().catch(() => undefined);
  }

  /**
   * Everybody waits for the first attempt. When nobody answers at that address, one time-out tells it to all of them, and
   * to those who come later: ten tables would otherwise wait for ten time-outs.
   */
  private async open(): Promise<PooledSession> {
    if (this.first !== undefined) {
      await this.first;
      return this.connect();
    }
    const attempt = this.connect();
    this.first = attempt.then(
      () => undefined,
      (error: unknown) => {
        if (!this.answered) throw error;
      },
    );
    this.first.catch(() => undefined);
    return attempt;
  }

  private async connect(): Promise<PooledSession> {
    const { tls } = this.settings;
    for (const [index, attempt] of tls.entries()) {
      try {
        return await this.openWith(attempt);
      } catch (error) {
        if (error instanceof ConnectionError) throw error;
        if (index === tls.length - 1 || isFinal(error)) throw this.connectionError(error);
      }
    }
    throw this.connectionError(new Error("there is no way to connect"));
  }

  private async openWith(tls: TlsSettings | undefined): Promise<PooledSession> {
    const client = new Client(this.clientConfig(tls));
    client.on("error", () => undefined);
    const limit = this.settings.connectTimeoutMs;
    // The timer of `pg`, started right after this one with the same limit, ends the attempt with an error without a code.
    let late = false;
    const timer = limit > 0 ? setTimeout(() => (late = true), limit) : undefined;
    try {
      await client.connect();
      clearTimeout(timer);
      this.answered = true;
      if (!this.trusted) await this.insistOnSessions(client, tls);
      // Alone and first: a role's own limit could end the longer statement.
      await client.query("SET statement_timeout = 0");
      const { rows } = await client.query<{ pid: number }>(PIN);
      const pid = Number(rows[0]?.pid);
      return new PooledSession(client, pid, (still) => this.cancel(pid, still));
    } catch (error) {
      clearTimeout(timer);
      this.answered ||= error instanceof DatabaseError;
      await client.end().catch(() => undefined);
      throw late ? new NoAnswer(limit) : error;
    }
  }

  /** Before anything is set, which would stay on a session that others are given. */
  private async insistOnSessions(client: Client, tls: TlsSettings | undefined): Promise<void> {
    const another = async () => {
      const second = new Client(this.clientConfig(tls));
      second.on("error", () => undefined);
      await second.connect();
      return second;
    };
    if (await isPooledByTransaction(client, another)) {
      throw new ConnectionError(
        `${this.target} is a proxy that pools transactions, behind which locks and settings of a session are lost. ` +
          "Connect to the server itself, or to a pool of sessions (PgBouncer: pool_mode = session).",
        undefined,
      );
    }
    this.trusted = true;
  }

  private clientConfig(tls: TlsSettings | undefined): ClientConfig {
    const { host, port, database, user, password, applicationName, connectTimeoutMs } = this.settings;
    return {
      host,
      port,
      database,
      user,
      // A function keeps `pg` from looking for a password in places of its own.
      password: () => password ?? "",
      application_name: applicationName,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      ssl: tls ?? false,
    };
  }

  private connectionError(error: unknown): ConnectionError {
    const code = errorCode(error);
    const needsPassword = this.settings.password === undefined && code === undefined;
    const asked = needsPassword ? ". No password is configured; the server may have asked for one" : "";
    const named = code !== undefined && /^E[A-Z]+$/.test(code) ? ` (${code})` : "";
    return new ConnectionError(
      `Cannot connect to ${this.target} as ${this.settings.user}: ${explainError(error)}${named}${asked}`,
      code,
    );
  }
}

/** The time for an attempt to connect is over. */
class NoAnswer extends Error {
  readonly code = "ETIMEDOUT";

  constructor(limitMs: number) {
    super(`no answer within ${limitMs / 1000} s`);
  }
}

/** Nobody answers at that address: another kind of encryption changes nothing. */
function isFinal(error: unknown): boolean {
  return ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT", "3D000"].includes(
    errorCode(error) ?? "",
  );
}
