import assert from "node:assert/strict";
import { failure, long, monthly, type Raw, range } from "./inputs";

describe("bad inputs of a RANGE policy", () => {
  const cases: [string, Raw, RegExp][] = [
    ["no table", { partitionBy: { hash: { columns: ["a"], partitions: 1 } } }, /^table: is required$/],
    ["no key", { table: "t" }, /^partitionBy: is required$/],
    ["an unknown property", monthly({ lifecycel: [] }), /^lifecycel: is not a property; did you mean lifecycle\?$/],
    [
      "an unknown property far from all",
      monthly({ zzzzzzzz: 1 }),
      /^zzzzzzzz: is not a property; there are schema, table, /,
    ],
    ["a nested unknown property", monthly({ window: { ahaed: 3 } }), /^window\.ahaed: .* did you mean ahead\?/],
    [
      "no strategy",
      { table: "t", partitionBy: {} },
      /^partitionBy: must have exactly one of range, list, hash; there is none/,
    ],
    [
      "two strategies",
      { table: "t", partitionBy: { range: { column: "a" }, hash: { columns: ["a"], partitions: 1 } } },
      /^partitionBy: must have exactly one .* there are range, hash/,
    ],
    ["a wrong type", monthly({ schema: 5 }), /^schema: must be a text, not the number 5$/],
    ["a list for an object", monthly({ window: [] }), /^window: must be an object, not a list$/],
    ["an object for a list", monthly({ pins: {} }), /^pins: must be a list, not an object$/],
    ["an empty name", monthly({ schema: "" }), /^schema: the name must not be empty$/],
    ["NUL in a name", monthly({ schema: "a\0" }), /^schema: a name must not contain the character NUL$/],
    [
      "a table name over 63 bytes",
      monthly({ table: `${long}abcd` }),
      /^table: .* has 64 bytes; PostgreSQL would cut it at 63$/,
    ],
    [
      "an unknown interval",
      range({ every: "fortnight" }),
      /^partitionBy\.range\.every: "fortnight" is not an interval .* write hour, day/,
    ],
    [
      "every without type",
      { ...monthly(), partitionBy: { range: { column: "a", every: "day" } } },
      /^partitionBy\.range\.type: is required with every/,
    ],
    [
      "every on a type that has no steps",
      range({ type: "uuid" }),
      /^partitionBy\.range\.type: every steps through .*, not uuid/,
    ],
    [
      "every on several columns",
      { table: "t", partitionBy: { range: { columns: ["a", "b"], every: "day" } }, asOf: "2026-11" },
      /^partitionBy\.range\.every: needs a key of one column/,
    ],
    [
      "no column",
      { table: "t", partitionBy: { range: {} } },
      /^partitionBy\.range\.column: exactly one of column and columns/,
    ],
    [
      "column and columns",
      { table: "t", partitionBy: { range: { column: "a", columns: ["b"] } } },
      /^partitionBy\.range\.column: exactly one/,
    ],
    [
      "a column twice",
      { table: "t", partitionBy: { range: { columns: ["a", "a"] } } },
      /^partitionBy\.range\.columns: names the column "a" twice/,
    ],
    [
      "type and types",
      { table: "t", partitionBy: { range: { column: "a", type: "date", types: ["date"] } } },
      /^partitionBy\.range\.types: is for columns/,
    ],
    [
      "too few types",
      { table: "t", partitionBy: { range: { columns: ["a", "b"], types: ["date"] } } },
      /^partitionBy\.range\.types: must have as many types as there are key columns \(2\)/,
    ],
    [
      "a time zone that is none",
      range({ type: "timestamptz", timezone: "Mars" }),
      /^partitionBy\.range\.timezone: "Mars" is not a time zone/,
    ],
    [
      "a time zone on a date",
      range({ timezone: "Asia/Kolkata" }),
      /^partitionBy\.range\.timezone: is for timestamptz keys/,
    ],
    ["an anchor that is none", range({ anchor: "x" }), /^partitionBy\.range\.anchor: /],
    [
      "an anchor on numbers",
      {
        ...monthly(),
        asOf: 1,
        window: {},
        partitionBy: { range: { column: "n", type: "integer", every: 5, anchor: "2026-01-01" } },
      },
      /^partitionBy\.range\.anchor: is a date; keys of numbers take offset/,
    ],
    ["an offset on dates", range({ offset: 5 }), /^partitionBy\.range\.offset: is for keys of numbers/],
    [
      "an offset that is none",
      {
        ...monthly(),
        asOf: 1,
        window: {},
        partitionBy: { range: { column: "n", type: "integer", every: 5, offset: "x" } },
      },
      /^partitionBy\.range\.offset: "x" is not a whole number/,
    ],
    [
      "an anchor without every",
      { table: "t", partitionBy: { range: { column: "a", type: "date", anchor: "2026-01-01" } } },
      /^partitionBy\.range\.anchor: needs every/,
    ],
    ["no asOf", monthly({ asOf: undefined }), /^asOf: is required with partitionBy\.range\.every: a date/],
    ["asOf that is no date", monthly({ asOf: "soon" }), /^asOf: "soon" is not a date/],
    [
      "asOf that is no number",
      {
        ...monthly({ window: {} }),
        asOf: "2026-11",
        partitionBy: { range: { column: "n", type: "integer", every: 5 } },
      },
      /^asOf: "2026-11" is not a whole number/,
    ],
    [
      "a negative window",
      monthly({ window: { from: "2026-01", ahead: -1 } }),
      /^window\.ahead: must be a whole number of at least 0, not the number -1/,
    ],
    [
      "a window that begins after its end",
      monthly({ window: { from: "2027-06", ahead: 1 } }),
      /^window\.from: lies after the last period/,
    ],
    ["a window start that is no date", monthly({ window: { from: "x" } }), /^window\.from: "x" is not a date/],
    [
      "a window without bounds",
      monthly({ window: { from: "0001-01", ahead: 90_000 } }),
      /^window: comes to \d+ partitions; at most 100000 are possible/,
    ],
    [
      "a window out of the calendar",
      monthly({ asOf: "9999-11", window: { from: "9999-11", ahead: 1 } }),
      /^window: the year 10000 is outside 0001 to 9999; the last period must end within the key type/,
    ],
    [
      "a window out of the key type",
      {
        ...monthly({ window: {} }),
        asOf: 32000,
        partitionBy: { range: { column: "n", type: "smallint", every: 1000 } },
      },
      /^window: \d+ does not fit into smallint/,
    ],
  ];

  for (const [what, raw, expected] of cases) it(`refuse ${what}`, () => assert.match(failure(raw), expected));
});
