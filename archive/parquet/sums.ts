/** What the values of a column add up to, in the order of the rows: the same for COPY text and for a file of Parquet. */
import { createHash } from "node:crypto";

export interface ColumnSum {
  /** That are not NULL. */
  values: number;
  /** SHA-256 over all rows in their order: a zero for NULL, else a one, the length of the value's text, and the text. */
  sha256: string;
}

const BUFFER_BYTES = 64 * 1024;
/** A mark and a length. */
const HEAD_BYTES = 5;

/** Order matters: values that have changed places within one column would otherwise be other rows with the same sums. */
export class ColumnSummer {
  private values = 0;
  private readonly hash = createHash("sha256");
  private readonly buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  private used = 0;

  add(text: Buffer | string | null): void {
    if (this.used + HEAD_BYTES > BUFFER_BYTES) this.flush();
    if (text === null) {
      this.buffer[this.used++] = 0;
      return;
    }
    this.values += 1;
    const length = typeof text === "string" ? Buffer.byteLength(text) : text.length;
    this.buffer[this.used] = 1;
    this.buffer.writeUInt32LE(length, this.used + 1);
    this.used += HEAD_BYTES;
    if (this.used + length > BUFFER_BYTES) this.flush();
    if (length > BUFFER_BYTES) this.hash.update(text);
    else if (typeof text === "string") this.used += this.buffer.write(text, this.used);
    else this.used += text.copy(this.buffer, this.used);
  }

  end(): ColumnSum {
    this.flush();
    return { values: this.values, sha256: this.hash.digest("hex") };
  }

  private flush(): void {
    this.hash.update(this.buffer.subarray(0, this.used));
    this.used = 0;
  }
}
