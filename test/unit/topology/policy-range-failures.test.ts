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
      range({ type: "text" }),
      /^partitionBy\.range\.type: every steps through .* or uuid \(v7\), not text; list such partitions in partitions/,
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

  const counted = (more: Raw = {}) => range({ type: "bigint", epoch: "seconds", ...more });
  const changes = (...list: Raw[]) => range({ changes: list });
  const stepped = (more: Raw, rest: Raw = {}): Raw => ({
    ...monthly({ window: {}, asOf: 1, ...rest }),
    partitionBy: { range: { column: "n", type: "numeric(6,2)", every: 5, ...more } },
  });
  const kinds: [string, Raw, RegExp][] = [
    [
      "an epoch on a date",
      range({ epoch: "seconds" }),
      /^partitionBy\.range\.epoch: is for integer, bigint and numeric keys, not for date: leave it out$/,
    ],
    [
      "an epoch on a smallint",
      range({ type: "smallint", epoch: "seconds" }),
      /^partitionBy\.range\.epoch: .* not for smallint: use one of those types$/,
    ],
    [
      "an epoch that is none",
      counted({ epoch: "minutes" }),
      /^partitionBy\.range\.epoch: must be one of seconds, milli/,
    ],
    [
      "an epoch without every",
      { table: "t", partitionBy: { range: { column: "a", type: "bigint", epoch: "seconds" } } },
      /^partitionBy\.range\.epoch: needs every$/,
    ],
    [
      "a step on a key that counts seconds",
      counted({ every: 1000 }),
      /^partitionBy\.range\.every: 1000 is not an interval for a key that counts seconds: write hour, day/,
    ],
    [
      "an interval on a key of plain numbers",
      { ...monthly({ window: {}, asOf: 1 }), partitionBy: { range: { column: "n", type: "bigint", every: "month" } } },
      /^partitionBy\.range\.every: "month" is not a step for a key of type bigint: .* add epoch: "seconds" or epoch: "mill/,
    ],
    [
      "an offset on a key that counts seconds",
      counted({ offset: 1 }),
      /^partitionBy\.range\.offset: .* dates take anchor/,
    ],
    ["a number as asOf of such a key", { ...counted(), asOf: 1767225600 }, /^asOf: "1767225600" is not a date/],
    [
      "seconds that no longer fit",
      { ...range({ type: "integer", epoch: "seconds" }), asOf: "2038-01", window: {} },
      /^window: 21\d+ does not fit into integer .*; the last period must end within the key type/,
    ],
    [
      "a uuid v7 before 1970",
      { ...range({ type: "uuid" }), window: { from: "1969-06" } },
      /^window: 1969-06-01 00:00:00\+00 lies before 1970, where the times of uuid v7 begin$/,
    ],
    ["an offset on a uuid", range({ type: "uuid", offset: 1 }), /^partitionBy\.range\.offset: is for keys of numbers/],
    [
      "a step on a uuid",
      range({ type: "uuid", every: 10 }),
      /^partitionBy\.range\.every: 10 is not an interval for a key of/,
    ],
    [
      "a time zone on plain numbers",
      stepped({ timezone: "Asia/Kolkata" }),
      /^partitionBy\.range\.timezone: is for timestamptz keys, uuid keys with every and keys with epoch; values of num/,
    ],
    [
      "a step that is rounded",
      stepped({ every: "0.125" }),
      /^partitionBy\.range\.every: 0\.125 would be rounded by numeric\(6,2\)$/,
    ],
    [
      "a step of nothing",
      stepped({ every: "0.0" }),
      /^partitionBy\.range\.every: "0\.0" is not a step for a key of type numeric/,
    ],
    ["an offset that is rounded", stepped({ offset: "0.001" }), /^partitionBy\.range\.offset: 0\.001 would be rounded/],
    ["a number that is none", stepped({}, { asOf: "NaN" }), /^asOf: "NaN" is not a finite number$/],
    [
      "a window out of numeric(6,2)",
      stepped({}, { asOf: 9995 }),
      /^window: 10000(\.00)? does not fit into numeric\(6,2\); use MINVALUE .* the last period must end within/,
    ],
    [
      "changes without every",
      {
        table: "t",
        partitionBy: { range: { column: "a", type: "date", changes: [{ from: "2027-01", every: "day" }] } },
      },
      /^partitionBy\.range\.changes: needs every$/,
    ],
    ["a change without a begin", changes({ every: "week" }), /^partitionBy\.range\.changes\[0\]\.from: is required$/],
    [
      "a change without an interval",
      changes({ from: "2027-01" }),
      /^partitionBy\.range\.changes\[0\]\.every: is required$/,
    ],
    [
      "an unknown property of a change",
      changes({ from: "2027-01", every: "week", timezone: "UTC" }),
      /^partitionBy\.range\.changes\[0\]\.timezone: is not a property; there are from, every, anchor, offset, naming$/,
    ],
    [
      "changes out of order",
      changes({ from: "2027-02", every: "week" }, { from: "2027-02-01", every: "day" }),
      /^partitionBy\.range\.changes\[1\]\.from: must be later than 2027-02-01, where the change before it begins$/,
    ],
    [
      "a change before the window",
      changes({ from: "2026-01", every: "week" }),
      /^partitionBy\.range\.changes\[0\]\.from: must be later than window\.from, 2026-01-01: write the interval/,
    ],
    [
      "a change at a time of day on a date key",
      changes({ from: "2027-01-01T12:00", every: "week" }),
      /^partitionBy\.range\.changes\[0\]\.from: "2027-01-01T12:00" has a time of day/,
    ],
    [
      "a change between two seconds of a key that counts them",
      counted({ changes: [{ from: "2027-01-01T00:00:00.5Z", every: "week" }] }),
      /^partitionBy\.range\.changes\[0\]\.from: "?1798761600\.5"? is not a whole number$/,
    ],
    [
      "a change to another kind of interval",
      changes({ from: "2027-01", every: 1000 }),
      /^partitionBy\.range\.changes\[0\]\.every: 1000 is not an interval for a key of type date/,
    ],
    [
      "an anchor that is none in a change",
      changes({ from: "2027-01", every: "2 weeks", anchor: "x" }),
      /^partitionBy\.range\.changes\[0\]\.anchor: "x" is not a date/,
    ],
    [
      "a template of a change that is wrong",
      changes({ from: "2027-01", every: "week", naming: "{table}_{www}" }),
      /^partitionBy\.range\.changes\[0\]\.naming: \{www\} is not known/,
    ],
    [
      "names that come twice after a change",
      changes({ from: "2026-12", every: "week", naming: "{table}_{yyyy}_{mm}" }),
      /^partitionBy\.range\.changes\[0\]\.naming: the name "events_2026_12" stands for 2026-12-01 … 2026-12-07 and for /,
    ],
  ];

  for (const [what, raw, expected] of [...cases, ...kinds])
    it(`refuse ${what}`, () => assert.match(failure(raw), expected));
});
