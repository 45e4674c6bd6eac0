import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { zstdDecompressSync } from "node:zlib";
import * as fc from "fast-check";
import { Compressor } from "../../../archive/compressor";

describe("compressing text", () => {
  it("gathers it into pieces of one size, of two buffers that take turns, and loses nothing", async () => {
    const texts = fc.array(
      fc.uint8Array({ maxLength: 200 }).map((text) => Buffer.from(text)),
      { maxLength: 50 },
    );
    await fc.assert(
      fc.asyncProperty(texts, fc.integer({ min: 64, max: 300 }), async (pieces, pieceBytes) => {
        const seen: Buffer[] = [];
        const buffers = new Set<ArrayBufferLike>();
        const see = (piece: Buffer) => {
          seen.push(Buffer.from(piece));
          buffers.add(piece.buffer);
          return undefined;
        };
        const compressor = new Compressor({ level: 3, pieceBytes, see });
        const compressed = buffer(compressor);
        await pipeline(Readable.from(pieces), compressor);
        const text = Buffer.concat(pieces);
        assert.ok(zstdDecompressSync(await compressed).equals(text));
        assert.ok(Buffer.concat(seen).equals(text));
        assert.ok(seen.slice(0, -1).every(({ length }) => length === pieceBytes));
        assert.ok(buffers.size <= 2);
        assert.equal(compressor.textBytes, text.length);
      }),
    );
  });

  it("waits for whoever sees it", async () => {
    let open: () => void = () => undefined;
    const see = () => new Promise<void>((resolve) => (open = resolve));
    const compressor = new Compressor({ level: 3, pieceBytes: 64, see });
    const written = new Promise<void>((resolve) => compressor.write(Buffer.alloc(64), () => resolve()));
    let done = false;
    written.then(() => (done = true));
    await new Promise(setImmediate);
    assert.equal(done, false);
    open();
    await written;
    compressor.destroy();
  });

  it("ends with the error of whoever sees it", async () => {
    const see = () => Promise.reject(new Error("enough"));
    const compressor = new Compressor({ level: 3, pieceBytes: 64, see });
    await assert.rejects(pipeline(Readable.from([Buffer.alloc(100)]), compressor), /enough/);
  });
});
