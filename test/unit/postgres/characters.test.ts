import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import * as fc from "fast-check";
import { refusingOtherBytes } from "../../../postgres/archive/characters";
import { ArchiveError } from "../../../postgres/errors";

const TABLE = { schema: "public", name: "events", encoding: "UTF8" };

/** Cuts bytes at some places. */
function cut(whole: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (whole.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((begin, place) => whole.subarray(begin, at[place] ?? whole.length));
}

function refusal(pieces: readonly Buffer[]): string | undefined {
  const see = refusingOtherBytes(TABLE);
  try {
    for (const piece of pieces) see?.(piece);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof ArchiveError);
    return error.message;
  }
}

const character = fc.string({ unit: "binary", minLength: 1, maxLength: 4 }).map((text) => Buffer.from(text));
const bytes = fc.uint8Array({ minLength: 1, maxLength: 4 }).map((some) => Buffer.from(some));
const some = (...of: fc.Arbitrary<Buffer>[]) => fc.array(fc.oneof(...of), { maxLength: 12 });
const row = (parts: readonly Buffer[]) => Buffer.concat([...parts, Buffer.from("\n")]);

describe("bytes that are no characters", () => {
  it("are refused, and nothing else is, however the text is cut", () => {
    fc.assert(
      fc.property(some(character, bytes).map(row), fc.array(fc.nat()), (text, places) => {
        assert.equal(refusal(cut(text, places)) === undefined, isUtf8(text));
      }),
      { numRuns: 2000 },
    );
  });

  it("are not found among characters of any size", () => {
    fc.assert(
      fc.property(some(character).map(row), fc.array(fc.nat()), (text, places) => {
        assert.equal(refusal(cut(text, places)), undefined);
      }),
    );
  });

  it("are told with what stands in front of them in the row", () => {
    const text = Buffer.concat([
      Buffer.from("1\tgood\n2\té "),
      Buffer.from([0xe2, 0x28, 0xa1]),
      Buffer.from("\n3\tx\n"),
    ]);
    assert.match(refusal([text]) ?? "", /^"public"\."events" holds bytes .* UTF8: 0xe228a1 after "2\\té "\. /);
    assert.match(refusal([Buffer.from([0xff, 0x0a])]) ?? "", /UTF8: 0xff0a\. |UTF8: 0xff\. /);
  });

  it("are whatever the database says in other encodings", () => {
    assert.equal(refusingOtherBytes({ ...TABLE, encoding: "LATIN1" }), undefined);
    assert.equal(refusingOtherBytes({ ...TABLE, encoding: "SQL_ASCII" }), undefined);
  });
});
