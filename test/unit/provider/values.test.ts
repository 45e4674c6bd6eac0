import assert from "node:assert/strict";
import fc from "fast-check";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { decode, encode, sameValue } from "../../../provider/values";
import { UNKNOWN } from "../../../topology/unknown";

const leaf = fc.oneof(fc.string(), fc.double({ noNaN: true }), fc.boolean(), fc.constant(null), fc.constant(UNKNOWN));
/** google-protobuf hands structs over as plain objects, which take `__proto__` for something else. */
const name = fc.string({ minLength: 1 }).filter((text) => text !== "__proto__");
const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(name, tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;
const properties = fc.dictionary(name, plain, { maxKeys: 5, noNullPrototype: true });

describe("property values on the wire", () => {
  it("come back as they were, secrets and unknowns included", () => {
    fc.assert(
      fc.property(properties, (values) => {
        const names = Object.keys(values).filter((_, index) => index % 2 === 0);
        const back = decode(encode(values, new Set(names)));
        assert.ok(sameValue(back.values, values), JSON.stringify(values));
        assert.deepEqual([...back.secrets].sort(), [...names].sort());
      }),
    );
  });

  it("unwraps a secret deep inside and remembers its top-level property", () => {
    const wire = Struct.fromJavaScript({
      login: { parts: [{ "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", value: "s3cret" }] },
      host: "db",
    });
    const { values, secrets } = decode(wire);
    assert.deepEqual(values, { login: { parts: ["s3cret"] }, host: "db" });
    assert.deepEqual([...secrets], ["login"]);
  });

  it("drops undefined properties and equates them with absent ones", () => {
    assert.deepEqual(decode(encode({ a: 1, b: undefined })).values, { a: 1 });
    assert.ok(sameValue({ a: 1, b: undefined }, { a: 1 }));
    assert.ok(!sameValue({ a: 1, b: null }, { a: 1 }));
    assert.ok(!sameValue([1, 2], [2, 1]));
    assert.ok(sameValue({ a: [{ b: 1, c: 2 }] }, { a: [{ c: 2, b: 1 }] }));
  });
});
