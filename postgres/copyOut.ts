/** The text of a COPY TO STDOUT that its reader may leave before the end. */
import { Readable } from "node:stream";
import type { Connection, Submittable } from "pg";

/** So that the server may go on while its last piece is at work. */
const BUFFERED_BYTES = 2 ** 20;

/** Messages of the server (documentation, "Message Formats"), by their first byte. */
const COPY_DATA = 0x64;
const COPY_DONE = 0x63;
const ERROR_RESPONSE = 0x45;
const HEADER_BYTES = 5;

type Take = (piece: Buffer) => void;

/**
 * A query of `pg` that gives on the text of a COPY, and throws away what comes after it was destroyed: the text itself must
 * be read to its end, whoever still wants it, as the session answers nothing else before that. The server sends every row as
 * a message of its own; taking each out of the stream with a buffer of its own took longer than reading them. So the rows of
 * a piece are moved together within it.
 */
export class CopyOut extends Readable implements Submittable {
  /** Settled when the server has said that it is over, or the session is. */
  readonly over: Promise<void>;
  private settle: { resolve(): void; reject(error: Error): void } | undefined;
  private stream: Readable | undefined;
  /** What `pg` does with everything that the server says. */
  private tell: Take | undefined;
  /** Bytes that are still to come of a message, and whether they are rows. */
  private left = 0;
  private isText = false;
  /** A header that came in two pieces. */
  private begun: Buffer | undefined;

  constructor(
    private readonly sql: string,
    /** Is shown each piece of the text; what it throws is the error of the text. */
    private readonly see?: Take,
  ) {
    super({ highWaterMark: BUFFERED_BYTES });
    this.over = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    this.over.catch(() => undefined);
  }

  submit(connection: Connection): void {
    this.stream = connection.stream;
    const [tell, ...others] = connection.stream.listeners("data");
    if (tell === undefined || others.length > 0) throw new Error("somebody else reads what the server says");
    this.tell = tell as Take;
    connection.stream.off("data", this.tell).on("data", this.unframe);
    connection.query(this.sql);
  }

  handleError(error: Error): void {
    this.settle?.reject(error);
    this.destroy(error);
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.settle?.resolve();
  }

  override _read(): void {
    this.stream?.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.stream?.resume();
    done(error);
  }

  private readonly unframe: Take = (piece) => {
    const text = this.begun === undefined ? piece : Buffer.concat([this.begun, piece]);
    this.begun = undefined;
    let kept = 0;
    for (let at = 0; at < text.length; ) {
      if (this.left === 0) {
        if (text.length - at < HEADER_BYTES) {
          this.begun = text.subarray(at);
          break;
        }
        const kind = text[at];
        if (kind === COPY_DONE || kind === ERROR_RESPONSE) {
          this.give(text.subarray(0, kept));
          return this.leave(text.subarray(at));
        }
        this.isText = kind === COPY_DATA;
        this.left = text.readUInt32BE(at + 1) - 4;
        if (!this.isText) this.tell?.(Buffer.from(text.subarray(at, at + HEADER_BYTES)));
        at += HEADER_BYTES;
      }
      const end = Math.min(text.length, at + this.left);
      if (this.isText) {
        text.copyWithin(kept, at, end);
        kept += end - at;
      } else if (end > at) this.tell?.(Buffer.from(text.subarray(at, end)));
      this.left -= end - at;
      at = end;
    }
    this.give(text.subarray(0, kept));
  };

  private give(text: Buffer): void {
    if (text.length === 0 || this.destroyed) return;
    try {
      this.see?.(text);
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (!this.push(text)) this.stream?.pause();
  }

  /** From here on the server speaks to `pg` again. */
  private leave(rest: Buffer): void {
    const { stream, tell } = this;
    if (stream === undefined || tell === undefined) return;
    stream.off("data", this.unframe).on("data", tell);
    // What was said in this piece may end the query, and begin the next one.
    this.stream = undefined;
    if (rest[0] === COPY_DONE) this.push(null);
    tell(rest);
    stream.resume();
  }
}
