import assert from "node:assert/strict";
import fc from "fast-check";
import {
  boundKey,
  boundsOverlap,
  canonicalBound,
  compareBounds,
  describeBound,
  type KeyTypes,
  parseBound,
  sameBound,
} from "../../../topology/bounds";
import type { PartitionBound } from "../../../topology/model";
import { OverlapIndex, overlappingPairs } from "../../../topology/overlap";

/** What `pg_get_expr(relpartbound, 0)` prints. */
function print(bound: PartitionBound): string {
  if ("default" in bound) return "DEFAULT";
  if ("modulus" in bound) return `FOR VALUES WITH (modulus ${bound.modulus}, remainder ${bound.remainder})`;
  const literal = (value: string | null) => (value === null ? "NULL" : `'${value.replaceAll("'", "''")}'`);
  const datum = (value: string) => (value === "MINVALUE" || value === "MAXVALUE" ? value : literal(value));
  if ("values" in bound) return `FOR VALUES IN (${bound.values.map(literal).join(", ")})`;
  const list = (end: string | string[]) => [end].flat().map(datum).join(", ");
  return `FOR VALUES FROM (${list(bound.from)}) TO (${list(bound.to)})`;
}

const anyText = fc.string({ unit: "binary", maxLength: 12 }).filter((text) => !text.includes("\0"));
const end = fc.oneof(
  anyText,
  fc.array(anyText, { minLength: 2, maxLength: 3 }),
  fc.constantFrom("MINVALUE", "MAXVALUE"),
);
const anyBound: fc.Arbitrary<PartitionBound> = fc.oneof(
  fc.record({ from: end, to: end }, { noNullPrototype: true }),
  fc
    .uniqueArray(fc.option(anyText), { minLength: 1, maxLength: 4 })
    .map((values) => canonicalBound({ values }, undefined, "UTC")),
  fc.record(
    { modulus: fc.integer({ min: 1, max: 99 }), remainder: fc.integer({ min: 0, max: 98 }) },
    { noNullPrototype: true },
  ),
  fc.constant<PartitionBound>({ default: true }),
);

describe("parseBound", () => {
  it("reads back whatever PostgreSQL prints", () => {
    fc.assert(fc.property(anyBound, (bound) => assert.deepEqual(parseBound(print(bound)), bound)));
  });

  it("reads the forms of every strategy", () => {
    const cases: [string, PartitionBound][] = [
      ["FOR VALUES FROM ('2026-01-01') TO (MAXVALUE)", { from: "2026-01-01", to: "MAXVALUE" }],
      ["FOR VALUES FROM (MINVALUE, MINVALUE) TO ('a, b', '7')", { from: ["MINVALUE", "MINVALUE"], to: ["a, b", "7"] }],
      ["FOR VALUES FROM (-5) TO ('10')", { from: "-5", to: "10" }],
      [
        "FOR VALUES FROM ('2026-11-01 05:00:00+00') TO ('infinity')",
        { from: "2026-11-01 05:00:00+00", to: "infinity" },
      ],
      ["FOR VALUES IN ('it''s', NULL, 1, true, 'a\\b')", { values: ["1", "a\\b", "it's", "true", null] }],
      ["FOR VALUES IN ('')", { values: [""] }],
      ["FOR VALUES WITH (modulus 16, remainder 0)", { modulus: 16, remainder: 0 }],
      ["DEFAULT", { default: true }],
    ];
    for (const [text, bound] of cases) assert.deepEqual(parseBound(text), bound, text);
  });

  it("refuses anything else", () => {
    for (const text of [
      "",
      "FOR VALUES",
      "FOR VALUES IN ('a'",
      "FOR VALUES IN ('a') TO ('b')",
      "FOR VALUES FROM ('a')",
      "FOR VALUES FROM ('a') TO ('b') x",
      "FOR VALUES IN ('a' 'b')",
      "FOR VALUES IN ()",
      "FOR VALUES FROM (NULL) TO ('a')",
    ])
      assert.throws(() => parseBound(text), /not the text of a partition bound/, text);
  });
});

describe("declared bounds", () => {
  const range = (from: string | number, to: string | number, type: string, zone = "UTC") =>
    canonicalBound({ from, to }, type, zone);

  it("become the text that PostgreSQL prints", () => {
    assert.deepEqual(range("2026-01-01", "2026-02-01", "timestamptz", "America/New_York"), {
      from: "2026-01-01 05:00:00+00",
      to: "2026-02-01 05:00:00+00",
    });
    assert.deepEqual(range("2026-01-01T00:00:00.500", "Infinity", "timestamp(3) without time zone"), {
      from: "2026-01-01 00:00:00.5",
      to: "infinity",
    });
    assert.deepEqual(range("+007", "MAXVALUE", "int4"), { from: "7", to: "MAXVALUE" });
    assert.deepEqual(canonicalBound({ values: [true, "F"] }, "boolean", "UTC"), { values: ["false", "true"] });
    assert.deepEqual(canonicalBound({ values: ["019C167F-CC00-0000-0000-000000000000"] }, "uuid", "UTC"), {
      values: ["019c167f-cc00-0000-0000-000000000000"],
    });
    assert.deepEqual(canonicalBound({ from: ["2026-01-01", 5], to: ["2026-01-01", 7] }, ["date", "bigint"], "UTC"), {
      from: ["2026-01-01", "5"],
      to: ["2026-01-01", "7"],
    });
    assert.deepEqual(canonicalBound({ values: [2, null, 1] }, "integer", "UTC"), { values: ["1", "2", null] });
  });

  it("are refused when they are not of their type", () => {
    const cases: [() => unknown, RegExp][] = [
      [() => range("a", "b", "integer"), /"a" is not a whole number/],
      [() => range(0, 40000, "smallint"), /does not fit into smallint/],
      [() => range(0, 2 ** 60, "bigint"), /is not exact as a number: write it as a string/],
      [() => range("a", "b", "numeric"), /"a" is not a number/],
      [() => range("a", "b", "uuid"), /"a" is not a uuid/],
      [() => canonicalBound({ values: ["maybe"] }, "bool", "UTC"), /is not true or false/],
      [() => range("yesterday", "today", "date"), /is not a date/],
      [() => canonicalBound({ from: null, to: "a" }, "text", "UTC"), /a RANGE bound cannot be NULL/],
    ];
    for (const [work, message] of cases) assert.throws(work, message);
  });
});

describe("bounds", () => {
  const sorted = (type: KeyTypes, ...starts: string[]) =>
    starts
      .map((from): PartitionBound => ({ from, to: "MAXVALUE" }))
      .sort((a, b) => compareBounds(a, b, type))
      .map((bound) => ("from" in bound ? bound.from : ""));

  it("are ordered by value", () => {
    assert.deepEqual(sorted("integer", "10", "9", "MINVALUE", "-1"), ["MINVALUE", "-1", "9", "10"]);
    assert.deepEqual(sorted("numeric", "10", "9.5", "1e1000", "9.45", "NaN"), ["9.45", "9.5", "10", "1e1000", "NaN"]);
    assert.deepEqual(
      sorted("date", "2026-01-01", "infinity", "-infinity", "MINVALUE", "0044-03-15 BC", "10000-01-01"),
      ["MINVALUE", "-infinity", "0044-03-15 BC", "2026-01-01", "10000-01-01", "infinity"],
    );
    assert.deepEqual(sorted("timestamp", "2026-01-01 00:00:00.5", "2026-01-01 00:00:00"), [
      "2026-01-01 00:00:00",
      "2026-01-01 00:00:00.5",
    ]);
    // U+FF5E is below U+1F600 as a code point, above its surrogates as UTF-16.
    assert.deepEqual(sorted("text", "\u{1f600}", "～", "a"), ["a", "～", "\u{1f600}"]);
  });

  it("list DEFAULT last", () => {
    const bounds: PartitionBound[] = [{ default: true }, { values: [null] }, { values: ["b"] }, { values: ["a"] }];
    assert.deepEqual(bounds.sort((a, b) => compareBounds(a, b)).map(describeBound), [
      "IN (a)",
      "IN (b)",
      "IN (NULL)",
      "DEFAULT",
    ]);
    assert.deepEqual(
      [
        { modulus: 4, remainder: 1 },
        { modulus: 2, remainder: 1 },
        { modulus: 4, remainder: 0 },
      ]
        .sort((a, b) => compareBounds(a, b))
        .map(describeBound),
      ["mod 2 = 1", "mod 4 = 0", "mod 4 = 1"],
    );
  });

  it("are the same when PostgreSQL takes them for the same", () => {
    assert(sameBound({ values: ["a", null, "b"] }, { values: ["b", "a", null] }));
    assert(sameBound({ from: "1.0", to: "2" }, { from: "1.00", to: "2.0" }, "numeric(10,2)"));
    assert(!sameBound({ from: "1.0", to: "2" }, { from: "1.00", to: "2" }, "text"));
    assert(!sameBound({ from: "100", to: "200" }, { from: "1", to: "200" }, "numeric"));
    assert(sameBound({ default: true }, { default: true }));
    assert(!sameBound({ modulus: 2, remainder: 0 }, { modulus: 4, remainder: 0 }));
    assert.notEqual(boundKey({ values: [null] }), boundKey({ values: ["null"] }));
  });

  it("are described in a few words", () => {
    assert.equal(describeBound({ from: "2026-01-01", to: "2026-02-01" }), "2026-01-01 … 2026-02-01");
    assert.equal(describeBound({ from: ["1", "a"], to: ["2", "MAXVALUE"] }), "(1, a) … (2, MAXVALUE)");
    assert.equal(describeBound({ values: ["eu", "us"] }), "IN (eu, us)");
    assert.equal(describeBound({ modulus: 16, remainder: 3 }), "mod 16 = 3");
  });
});

describe("overlap", () => {
  const overlaps = (a: PartitionBound, b: PartitionBound, type?: KeyTypes) => {
    const both = boundsOverlap(a, b, type);
    assert.equal(boundsOverlap(b, a, type), both, "symmetric");
    assert.equal(new OverlapIndex([{ bound: a }], type).find(b).length > 0, both, "the index agrees");
    assert.equal(new OverlapIndex([{ bound: b }], type).find(a).length > 0, both, "the other way round too");
    assert.equal(overlappingPairs([{ bound: a }, { bound: b }], type).length > 0, both, "the pairs agree");
    return both;
  };

  it("of ranges is half open", () => {
    assert(!overlaps({ from: "1", to: "10" }, { from: "10", to: "20" }, "integer"));
    assert(overlaps({ from: "1", to: "10" }, { from: "9", to: "20" }, "integer"));
    assert(overlaps({ from: "MINVALUE", to: "MAXVALUE" }, { from: "9", to: "20" }, "integer"));
    assert(
      overlaps({ from: ["1", "5"], to: ["2", "0"] }, { from: ["1", "9"], to: ["1", "10"] }, ["integer", "integer"]),
    );
    assert(
      !overlaps({ from: ["1", "5"], to: ["1", "9"] }, { from: ["1", "9"], to: ["1", "10"] }, ["integer", "integer"]),
    );
  });

  it("of text is only claimed where every collation agrees", () => {
    assert(overlaps({ from: "a", to: "m" }, { from: "c", to: "z" }, "text"));
    assert(!overlaps({ from: "a", to: "Z" }, { from: "M", to: "z" }, "text"));
    assert(overlaps({ from: "a", to: "Z" }, { from: "a", to: "Z" }, "text"));
  });

  it("of lists and hashes is by value and by remainder", () => {
    assert(overlaps({ values: ["a", null] }, { values: [null] }));
    assert(!overlaps({ values: ["a"] }, { values: ["b"] }));
    assert(overlaps({ values: ["1.0"] }, { values: ["1"] }, "numeric"));
    assert(overlaps({ modulus: 4, remainder: 1 }, { modulus: 16, remainder: 5 }));
    assert(!overlaps({ modulus: 4, remainder: 1 }, { modulus: 16, remainder: 6 }));
    assert(overlaps({ modulus: 4, remainder: 1 }, { modulus: 6, remainder: 3 }));
  });

  it("of DEFAULT is with DEFAULT alone", () => {
    assert(!overlaps({ default: true }, { values: ["a"] }));
    assert(!overlaps({ default: true }, { from: "MINVALUE", to: "MAXVALUE" }));
    assert(overlaps({ default: true }, { default: true }));
  });

  it("is found by the index exactly where it is found one by one", () => {
    const span = fc
      .tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 9 }))
      .map(([from, length]) => ({ bound: { from: String(from), to: String(from + length) } }));
    fc.assert(
      fc.property(fc.array(span, { maxLength: 20 }), span, (items, probe) => {
        const apart: typeof items = [];
        for (const item of items)
          if (!apart.some((other) => boundsOverlap(other.bound, item.bound, "integer"))) apart.push(item);
        const expected = apart.filter((item) => boundsOverlap(item.bound, probe.bound, "integer"));
        const found = new OverlapIndex(apart, "integer").find(probe.bound);
        assert.deepEqual(
          new Set(found.map(({ bound }) => bound.from)),
          new Set(expected.map(({ bound }) => bound.from)),
        );
        const any = items.some((item, at) =>
          items.slice(at + 1).some((other) => boundsOverlap(item.bound, other.bound, "integer")),
        );
        assert.equal(overlappingPairs(items, "integer").length > 0, any);
      }),
    );
  });
});
