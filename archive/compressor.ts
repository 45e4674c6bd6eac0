/** Text on its way into an object: gathered into large pieces, seen, and compressed. */
import { once } from "node:events";
import { Transform, type TransformCallback } from "node:stream";
import { constants, createZstdCompress, type ZstdCompress } from "node:zlib";

export interface Compression {
  level: number;
  /** As much as is compressed at once. */
  pieceBytes: number;
  /** Is shown every piece of text before that; what it returns is waited for. */
  see(piece: Buffer): Promise<void> | undefined;
}

/** Between it and the next stream, so that one may go on while the other is at work. */
const BUFFERED_BYTES = 2 ** 20;

/**
 * The server sends 8 KiB at a time. Two buffers take turns: one is filled while the other is compressed. With a new one for
 * every piece the garbage collector had as many bytes to follow as the text has.
 */
export class Compressor extends Transform {
  textBytes = 0;
  private readonly zstd: ZstdCompress;
  private filling: Buffer;
  private other: Buffer;
  private filled = 0;
  /** Settled when the other buffer is free. */
  private compressed: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: Compression) {
    super({ readableHighWaterMark: BUFFERED_BYTES });
    const { level, pieceBytes } = options;
    this.filling = Buffer.allocUnsafeSlow(pieceBytes);
    this.other = Buffer.allocUnsafeSlow(pieceBytes);
    this.zstd = createZstdCompress({
      chunkSize: pieceBytes,
      params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
    });
    this.zstd.on("error", (error) => this.destroy(error));
    this.zstd.on("data", (piece) => {
      if (!this.push(piece)) this.zstd.pause();
    });
  }

  override _transform(text: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.gather(text).then(() => done(), done);
  }

  override _flush(done: TransformCallback): void {
    this.rest().then(() => done(), done);
  }

  override _read(size: number): void {
    this.zstd.resume();
    super._read(size);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.zstd.destroy();
    done(error);
  }

  private async gather(text: Buffer): Promise<void> {
    this.textBytes += text.length;
    for (let from = 0; from < text.length; ) {
      const copied = text.copy(this.filling, this.filled, from);
      from += copied;
      this.filled += copied;
      if (this.filled === this.filling.length) await this.give();
    }
  }

  private async give(): Promise<void> {
    const piece = this.filling.subarray(0, this.filled);
    await this.options.see(piece);
    await this.compressed;
    this.compressed = new Promise((resolve, reject) => {
      this.zstd.write(piece, (error) => (error ? reject(error) : resolve(undefined)));
    });
    this.compressed.catch(() => undefined);
    [this.filling, this.other] = [this.other, this.filling];
    this.filled = 0;
  }

  private async rest(): Promise<void> {
    if (this.filled > 0) await this.give();
    const ended = once(this.zstd, "end");
    this.zstd.end();
    await ended;
  }
}
