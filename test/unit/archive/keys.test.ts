/** A key says by itself whose it is, whatever PostgreSQL allows in names. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { identifyKey, manifestKey, partKeys } from "../../../archive/keys";

const name = fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" }).filter((text) => !text.includes("\0"));
const generation = fc.record(
  { partition: name, oid: fc.integer({ min: 1 }), generation: fc.integer({ min: 1 }) },
  { noNullPrototype: true },
);
const origin = fc.record(
  {
    systemIdentifier: fc.stringMatching(/^[0-9]{1,20}$/),
    database: name,
    parent: fc.record({ schema: name, name }, { noNullPrototype: true }),
  },
  { noNullPrototype: true },
);

describe("keys of an archive", () => {
  it("tell the table, the partition and the object", () => {
    fc.assert(
      fc.property(origin, generation, (of, copy) => {
        assert.deepEqual(identifyKey(manifestKey(of, copy)), { ...copy, origin: of, object: "manifest.json" });
        const rows = { format: "text", encrypted: false } as const;
        assert.equal(identifyKey(partKeys(of, copy, 3, 4, rows).rows)?.object, "3-4.copy.zst");
      }),
    );
  });

  it("are no others", () => {
    for (const key of [
      "",
      "a",
      "a/b/c/d",
      "7/app/public/events/p/1.x/manifest.json",
      "7/app/%zz/events/p/1.1/manifest.json",
      "7/app/public/events/%70/1.1/manifest.json",
      "7/app/public/events/p.1/1.1/manifest.json",
      "7/app/public/events/p/01.1/manifest.json",
      "7/app/public/events/p/1.90071992547409931/manifest.json",
      "7/app/public/events/p/1.1/manifest.json.old",
      "7/app/public/events/p/1.1/notes.txt",
      "7/app/public/events/p/1.1/0-0",
      "7/app/public/events/p/1.1/0-0.copy.zst~",
      "7/app/public/events/p/1.1/0-0.copy.zst (1)",
    ])
      assert.equal(identifyKey(key), undefined, key);
  });
});
