/** One session of a pool. */
import type { Readable, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { type Client, DatabaseError } from "pg";
import { from } from "pg-copy-streams";
import type { Row, Session } from "./connection";
import { CopyOut } from "./copyOut";

/** `pg` has no other sign for it. */
const NOT_QUERYABLE = / is not queryable$/;

/** A session and what the pool has to know of it. */
export class PooledSession implements Session {
  broken = false;
  busy = false;
  cancelledByUser = false;
  /** What ended the session between two statements; the next one would only be told that it is not queryable. */
  private endedBy: Error | undefined;

  constructor(
    readonly client: Client,
    readonly pid: number,
    /** Has the server cancel what this session is doing; `still` is asked just before. */
    private readonly cancel: (still: () => boolean) => Promise<void>,
  ) {
    client.on("error", (reason) => {
      this.broken = true;
      this.endedBy ??= reason;
    });
    client.on("end", () => {
      this.broken = true;
    });
  }

  async query<R extends Row = Row>(sql: string, parameters?: unknown[]): Promise<R[]> {
    this.busy = true;
    try {
      const { rows } = await this.client.query<R>(sql, parameters);
      return rows;
    } catch (error) {
      throw this.endedBy !== undefined && !(error instanceof DatabaseError) ? this.endedBy : error;
    } finally {
      this.busy = false;
    }
  }

  async copyOut<T>(sql: string, read: (text: Readable) => Promise<T>, see?: (piece: Buffer) => void): Promise<T> {
    this.busy = true;
    const text = this.client.query(new CopyOut(sql, see));
    let over = false;
    const end = text.over.finally(() => {
      over = true;
    });
    end.catch(() => undefined);
    try {
      const result = await read(text);
      await end;
      return result;
    } catch (error) {
      // A reader that has not even begun leaves it as it was, and nobody would read on.
      text.destroy();
      // A gigabyte may still be on its way.
      if (!over && !this.broken)
        await this.cancel(() => !over).catch(() => {
          this.broken = true;
        });
      if (!this.broken) await end.catch(() => undefined);
      throw this.explained(error);
    } finally {
      this.busy = false;
    }
  }

  async copyIn(sql: string, write: (text: Writable) => Promise<void>): Promise<number> {
    this.busy = true;
    try {
      const text = this.client.query(from(sql));
      try {
        await Promise.all([finished(text), write(text)]);
        return text.rowCount;
      } catch (error) {
        text.destroy();
        throw this.explained(error);
      }
    } finally {
      this.busy = false;
    }
  }

  /** What `pg` says of a COPY on a session that has ended; an error of who reads or writes its text stays what it is. */
  private explained(error: unknown): unknown {
    return error instanceof Error && NOT_QUERYABLE.test(error.message) ? (this.endedBy ?? error) : error;
  }

  async transaction<T>(action: () => Promise<T>): Promise<T> {
    await this.query("BEGIN");
    try {
      const result = await action();
      await this.query("COMMIT");
      return result;
    } catch (error) {
      // Half a text is still on its way in a broken one, which is closed anyway: nothing would answer.
      if (!this.broken) await this.rollback();
      throw error;
    }
  }

  private async rollback(): Promise<void> {
    try {
      await this.query("ROLLBACK");
    } catch {
      this.broken = true;
    }
  }
}
