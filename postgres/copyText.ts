/** The text of a COPY that its reader may leave before the end. */
import { Readable } from "node:stream";

/** So that the server may go on while its last piece is at work. */
const BUFFERED_BYTES = 2 ** 20;

/**
 * Gives on what comes, and throws away what comes after it was destroyed. The text itself must be read to its end, whoever
 * still wants it: the session answers nothing else before that.
 */
export class CopyText extends Readable {
  private readonly give = (piece: Buffer) => {
    if (!this.push(piece)) this.text.pause();
  };

  constructor(private readonly text: Readable) {
    super({ highWaterMark: BUFFERED_BYTES });
    text.on("end", () => this.push(null));
    text.on("error", (error) => this.destroy(error));
    text.pause();
    text.on("data", this.give);
  }

  override _read(): void {
    this.text.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.text.off("data", this.give);
    this.text.resume();
    done(error);
  }
}
