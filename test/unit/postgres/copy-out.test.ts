import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import * as fc from "fast-check";
import type { Connection } from "pg";
import { CopyOut } from "../../../postgres/copyOut";

function message(kind: string, payload: Buffer): Buffer {
  const header = Buffer.alloc(5, kind);
  header.writeUInt32BE(payload.length + 4, 1);
  return Buffer.concat([header, payload]);
}

/** A connection on which the server says nothing by itself, and what `pg` is told of it. */
function silent() {
  const stream = new Readable({ read: () => undefined });
  const told: Buffer[] = [];
  stream.on("data", (piece: Buffer) => void told.push(piece));
  const connection = { stream, query: () => undefined } as unknown as Connection;
  return { stream, connection, told: () => Buffer.concat(told) };
}

/** Cuts bytes at some places. */
function cut(whole: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (whole.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((begin, place) => Buffer.from(whole.subarray(begin, at[place] ?? whole.length)));
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

const row = fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes));
const said = fc.array(fc.record({ kind: fc.constantFrom("d", "d", "d", "N", "S"), payload: row }), { maxLength: 20 });

describe("the text of a COPY", () => {
  it("is that of its rows, however the answer is cut, and everything else is for pg", async () => {
    const places = fc.array(fc.nat(), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(said, places, async (messages, at) => {
        const { stream, connection, told } = silent();
        const copy = new CopyOut("COPY t TO STDOUT");
        copy.submit(connection);
        const text = buffer(copy);
        const begin = message("H", Buffer.from([0, 0, 0]));
        const end = [
          message("c", Buffer.alloc(0)),
          message("C", Buffer.from("COPY 1\0")),
          message("Z", Buffer.from("I")),
        ];
        const all = [begin, ...messages.map(({ kind, payload }) => message(kind, payload)), ...end];
        for (const piece of cut(Buffer.concat(all), at)) if (piece.length > 0) stream.push(piece);
        const rows = messages.filter(({ kind }) => kind === "d").map(({ payload }) => payload);
        assert.deepEqual(await text, Buffer.concat(rows));
        await settled();
        const others = messages.filter(({ kind }) => kind !== "d").map(({ kind, payload }) => message(kind, payload));
        assert.deepEqual(told(), Buffer.concat([begin, ...others, ...end]));
      }),
    );
  });

  it("ends with the error that pg finds in the answer, after the rows before it", async () => {
    const { stream, connection, told } = silent();
    const copy = new CopyOut("COPY t TO STDOUT");
    copy.submit(connection);
    const rows: Buffer[] = [];
    copy.on("data", (piece: Buffer) => void rows.push(Buffer.from(piece)));
    const error = message("E", Buffer.from("S…\0"));
    stream.push(Buffer.concat([message("d", Buffer.from("1\n")), error]));
    await settled();
    assert.deepEqual([Buffer.concat(rows).toString(), told()], ["1\n", error]);
    const reason = new Error("canceled");
    const ended = assert.rejects(copy.over, reason);
    copy.on("error", () => undefined);
    copy.handleError(reason);
    await ended;
    assert.equal(copy.errored, reason);
  });

  it("stops the server when nobody reads, and lets it go on when it is left", async () => {
    const { stream, connection } = silent();
    const copy = new CopyOut("COPY t TO STDOUT");
    copy.submit(connection);
    const large = message("d", Buffer.alloc(2 ** 20, "x"));
    stream.push(large);
    await settled();
    assert.equal(stream.isPaused(), true);
    copy.destroy();
    await settled();
    assert.equal(stream.isPaused(), false);
    stream.push(large);
    await settled();
    assert.deepEqual([stream.readableLength, copy.readableLength], [0, 2 ** 20]);
  });
});
