import assert from "node:assert/strict";
import fc from "fast-check";
import { expand } from "../../../topology/policy";
import { UNKNOWN } from "../../../topology/unknown";
import { explicit, failure, hash, list, long, monthly, type Raw } from "./inputs";

const KMS_KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

describe("bad inputs", () => {
  const cases: [string, Raw, RegExp][] = [
    [
      "an age that is none",
      monthly({ lifecycle: [{ after: "12 moons", tier: "dropped" }] }),
      /^lifecycle\[0\]\.after: "12 moons" is not an age: write "12 months"/,
    ],
    [
      "an age in dates on numbers",
      {
        ...monthly({ window: {} }),
        asOf: 1,
        partitionBy: { range: { column: "n", type: "integer", every: 5 } },
        lifecycle: [{ after: "1 day", tier: "dropped" }],
      },
      /^lifecycle\[0\]\.after: "1 day" is not a distance/,
    ],
    [
      "ages out of order",
      monthly({
        lifecycle: [
          { after: "60 days", tier: "detached" },
          { after: "1 month", tier: "dropped" },
        ],
      }),
      /^lifecycle\[1\]\.after: must be later than 60 days/,
    ],
    [
      "tiers out of order",
      monthly({
        lifecycle: [
          { after: "1 day", tier: "dropped" },
          { after: "1 month", tier: "detached" },
        ],
      }),
      /^lifecycle\[1\]\.tier: must come after dropped/,
    ],
    [
      "two rules at one age",
      monthly({
        lifecycle: [
          { after: "1 day", tier: "detached" },
          { after: "24 hours", tier: "dropped" },
        ],
      }),
      /^lifecycle\[1\]\.after: must be later than 1 day/,
    ],
    [
      "one tier at two ages",
      monthly({
        lifecycle: [
          { after: "1 day", tier: "detached" },
          { after: "2 days", tier: "detached" },
        ],
      }),
      /^lifecycle\[1\]\.tier: must come after detached/,
    ],
    [
      "a tier with rows in an archive where no archive is declared",
      monthly({ lifecycle: [{ after: "1 day", tier: "archived" }] }),
      /^lifecycle\[0\]\.tier: needs an archive: declare archive/,
    ],
    [
      "a tag that S3 does not take",
      monthly({ archive: { store: "s3://archive", tags: { "a&b": "x" } } }),
      /^archive\.tags\["a&b"\]: its name has other characters than S3 allows in tags/,
    ],
    [
      "a tag of a length that S3 does not take",
      monthly({ archive: { store: "s3://archive", tags: { a: "x".repeat(257) } } }),
      /^archive\.tags\.a: its value is longer than the 256 characters/,
    ],
    [
      "a tag that S3 keeps for itself",
      monthly({ archive: { store: "s3://archive", tags: { "aws:x": "y" } } }),
      /^archive\.tags\["aws:x"\]: is a name that S3 keeps for itself/,
    ],
    [
      "more tags than S3 takes",
      monthly({ archive: { store: "s3://archive", tags: Object.fromEntries([..."abcdefghijk"].map((a) => [a, a])) } }),
      /^archive\.tags: has 11 tags; S3 allows 10 for an object/,
    ],
    [
      "a Parquet copy of CSV",
      monthly({ archive: { store: "file:///archive", format: "csv", parquet: {} } }),
      /^archive\.format: is csv, and a Parquet copy is made from text/,
    ],
    [
      "a Parquet copy of what is encrypted",
      monthly({ archive: { store: "file:///archive", encryption: { keyFile: "/key" }, parquet: {} } }),
      /^archive\.encryption: is declared, and a Parquet copy would hold the same rows unencrypted/,
    ],
    [
      "encryption without a key",
      monthly({ archive: { store: "file:///archive", encryption: { former: [{ keyFile: "/key" }] } } }),
      /^archive\.encryption: names no key: give either kmsKeyId or keyFile/,
    ],
    [
      "encryption with two keys",
      monthly({
        archive: {
          store: "file:///archive",
          encryption: { keyFile: "/a", former: [{ keyFile: "/b", kmsKeyId: KMS_KEY }] },
        },
      }),
      /^archive\.encryption\.former\[0\]: names two keys/,
    ],
    [
      "encryption with an alias, which may move",
      monthly({ archive: { store: "file:///archive", encryption: { kmsKeyId: "alias/archive" } } }),
      /^archive\.encryption\.kmsKeyId: must be the ARN of a KMS key/,
    ],
    [
      "encryption with a key file that is found from nowhere",
      monthly({ archive: { store: "file:///archive", encryption: { keyFile: "keys/archive" } } }),
      /^archive\.encryption\.keyFile: must be an absolute path/,
    ],
    ...[
      { format: "csv" },
      { level: 9 },
      { encryption: { keyFile: "/key" } },
      { bytesPerSecond: 1_000 },
      { storageClass: "GLACIER_IR" },
      { tags: { team: "data" } },
      { retention: { mode: "GOVERNANCE", days: 1 } },
    ].map((other): [string, Raw, RegExp] => {
      const [property] = Object.keys(other);
      const archive = { store: "s3://bucket", serverSideExport: "aws_s3", ...other };
      return [
        `${property} of rows that the server writes`,
        monthly({ archive }),
        new RegExp(`^archive\\.${property}: .*(serverSideExport|aws_s3).*leave`),
      ];
    }),
    [
      "a server that writes into a directory",
      monthly({ archive: { store: "file:///archive", serverSideExport: "aws_s3" } }),
      /^archive\.serverSideExport: is a setting of S3, and the store is a directory/,
    ],
    [
      "a lifecycle to live",
      monthly({ lifecycle: [{ after: "1 day", tier: "live" }] }),
      /^lifecycle\[0\]\.tier: .* use pins/,
    ],
    [
      "no such tier",
      monthly({ lifecycle: [{ after: "1 day", tier: "gone" }] }),
      /^lifecycle\[0\]\.tier: must be one of exported, detached, archived, dropped, not the string "gone"/,
    ],
    [
      "a pin without extent",
      monthly({ pins: [{ from: "2026-02", to: "2026-02" }] }),
      /^pins\[0\]\.to: must be above from/,
    ],
    [
      "a pin of what the window does not reach, which would restore nothing",
      monthly({ window: { from: "2026-01" }, pins: [{ from: "2025-02", to: "2025-03" }] }),
      /^pins\[0\]: ends before the first period of the window, .*2026-01-01.*Let window\.from be 2025-02-01/,
    ],
    [
      "a pin that is no date",
      monthly({ pins: [{ from: "2026-02", to: "2026-03", until: "x" }] }),
      /^pins\[0\]\.until: "x" is not a date/,
    ],
    [
      "an unknown placeholder",
      monthly({ naming: "{table}_{yyy}" }),
      /^naming: \{yyy\} is not known \(did you mean \{yyyy\}\?\); the placeholders here are \{table\}, \{yyyy\}/,
    ],
    ["a lost brace", monthly({ naming: "{table}_{yyyy" }), /^naming: .* has a brace without its partner/],
    ["an empty template", monthly({ naming: "" }), /^naming: a naming template must not be empty/],
    [
      "a template that tells no periods apart",
      monthly({ naming: "{table}_{yyyy}" }),
      /^naming: the name "events_2026" stands for 2026-01-01 … 2026-02-01 and for 2026-02-01 … 2026-03-01: the template needs a placeholder/,
    ],
    [
      "a default name with a placeholder of periods",
      monthly({ naming: { default: "{yyyy}" } }),
      /^naming\.default: \{yyyy\} is not known/,
    ],
    [
      "names over 63 bytes",
      monthly({ naming: `${long}{table}_{yyyy}{mm}` }),
      /^naming: the name .* has 73 bytes; PostgreSQL would cut it/,
    ],
    [
      "a name that no property can have",
      monthly({ window: { from: "2026-11", ahead: 0 }, naming: "__proto__" }),
      /^naming: the name "__proto__" cannot be a key of properties/,
    ],
    [
      "a name that is the parent's",
      monthly({ window: { from: "2026-11", ahead: 0 }, naming: "{table}" }),
      /^naming: the name "events" is that of the partitioned table itself/,
    ],
    [
      "a preset without periods",
      hash(2, { naming: "pg_partman4" }),
      /^naming: the preset pg_partman4 names the periods of a RANGE policy/,
    ],
    [
      "a value in two lists",
      list({ a: ["x", "y"], b: ["z", "y"] }),
      /^partitionBy\.list\.values\.b\[1\]: the value "y" is in "a" already/,
    ],
    [
      "a value twice in one list",
      list({ a: ["x", "x"] }),
      /^partitionBy\.list\.values\.a\[1\]: the value "x" is in "a" already/,
    ],
    [
      "NULL twice",
      list({ a: [null], b: [null] }),
      /^partitionBy\.list\.values\.b\[0\]: the value null is in "a" already/,
    ],
    [
      "equal values written in two ways",
      list({ a: [1], b: ["01"] }, { type: "integer" }),
      /^partitionBy\.list\.values\.b\[0\]: the value "01" is in "a" already/,
    ],
    ["an empty list", list({ a: [] }), /^partitionBy\.list\.values\.a: must not be empty/],
    [
      "a value of another type",
      list({ a: ["x"] }, { type: "integer" }),
      /^partitionBy\.list\.values\.a\[0\]: "x" is not a whole number/,
    ],
    [
      "a value that is an object",
      list({ "a.b": [{}] }),
      /^partitionBy\.list\.values\["a\.b"\]\[0\]: must be a text, a number/,
    ],
    ["no hash partition", hash(0), /^partitionBy\.hash\.partitions: must be a whole number of at least 1/],
    ["too many hash partitions", hash(100_001), /^partitionBy\.hash\.partitions: must be at most 100000/],
    [
      "a hash column twice",
      { table: "m", partitionBy: { hash: { columns: ["a", "a"], partitions: 2 } } },
      /^partitionBy\.hash\.columns: names the column "a" twice/,
    ],
    ["DEFAULT for HASH", hash(2, { defaultPartition: true }), /^defaultPartition: HASH has no DEFAULT partition/],
    [
      "explicit DEFAULT for HASH",
      hash(2, { partitions: { d: { default: true } } }),
      /^partitions\.d\.default: HASH has no DEFAULT partition/,
    ],
    [
      "a remainder too large",
      hash(2, { partitions: { a: { modulus: 4, remainder: 4 } } }),
      /^partitions\.a\.remainder: must be below the modulus 4/,
    ],
    [
      "a modulus that is no factor",
      hash(1, {
        partitions: {
          m_p0: { modulus: 1, remainder: 0, tier: "detached" },
          a: { modulus: 4, remainder: 1 },
          b: { modulus: 6, remainder: 0 },
        },
      }),
      /^partitions\.b: the modulus 4 is not a factor of 6/,
    ],
    [
      "the wrong form",
      explicit({ a: { values: ["x"] } }),
      /^partitions\.a: a RANGE partition has from and to, or default: true/,
    ],
    ["half a form", explicit({ a: { from: 1 } }), /^partitions\.a: a RANGE partition has from and to/],
    [
      "an empty range",
      explicit({ a: { from: 5, to: 5 } }),
      /^partitions\.a\.to: must be above from \(5\): an empty range holds no row/,
    ],
    ["a range upside down", explicit({ a: { from: 5, to: 4 } }), /^partitions\.a\.to: must be above from/],
    [
      "a bound of another type",
      explicit({ a: { from: "x", to: 4 } }),
      /^partitions\.a\.from: "x" is not a whole number/,
    ],
    [
      "too many values in a bound",
      explicit({ a: { from: [1, 2], to: 4 } }),
      /^partitions\.a\.from: needs one value for each key column: n/,
    ],
    [
      "overlapping explicit bounds",
      explicit({ a: { from: 1, to: 5 }, b: { from: 4, to: 9 } }),
      /^partitions\.b: 4 … 9 overlaps "a" \(1 … 5\)/,
    ],
    [
      "an explicit bound twice",
      explicit({ a: { from: 1, to: 5 }, b: { from: 1, to: 5 } }),
      /^partitions\.b: 1 … 5 overlaps "a"/,
    ],
    [
      "an explicit bound over the policy",
      monthly({ partitions: { x: { from: "2026-11-15", to: "2026-11-16" } } }),
      /^partitions\.x: 2026-11-15 … 2026-11-16 overlaps "events_2026_11"/,
    ],
    [
      "an explicit name twice",
      monthly({ partitions: { events_2026_11: { from: "2020-01-01", to: "2020-02-01" } } }),
      /"events_2026_11" stands for 2026-11-01 … 2026-12-01 and for 2020-01-01 … 2020-02-01/,
    ],
    [
      "an explicit name over 63 bytes",
      explicit({ [`${long}abcd`]: { from: 1, to: 2 } }),
      /^partitions\.é+abcd: the name .* has 64 bytes/,
    ],
    [
      "a value twice in an explicit list",
      { ...list({ a: ["x"] }), partitions: { b: { values: ["y", "y"] } } },
      /^partitions\.b\.values\[1\]: the value "y" stands twice/,
    ],
    [
      "a value of an explicit list in the policy",
      { ...list({ a: ["x"] }), partitions: { b: { values: ["y", "x"] } } },
      /^partitions\.b: IN \(x, y\) overlaps "o_a"/,
    ],
    ["a wrong word", monthly({ unmanaged: "delete" }), /^unmanaged: must be one of ignore, report, refuse/],
    ["a negative view limit", monthly({ viewLimit: -1 }), /^viewLimit: must be a whole number of at least 0/],
  ];

  for (const [what, raw, expected] of cases) it(`refuse ${what}`, () => assert.match(failure(raw), expected));

  it("refuse window, lifecycle and pins where there are no periods", () => {
    const policy = { window: {}, lifecycle: [{ after: "1 day", tier: "dropped" }], pins: [{ from: 1, to: 2 }] };
    const reasons = (raw: Raw) => expand(raw).failures.map(({ property, reason }) => `${property}: ${reason}`);
    assert.deepEqual(reasons({ ...explicit({}), ...policy }), [
      "window: needs partitionBy.range.every",
      "lifecycle: needs partitionBy.range.every",
      "pins: needs partitionBy.range.every",
    ]);
    assert.deepEqual(reasons({ ...hash(2), ...policy })[0], "window: is for RANGE policies, not HASH");
  });

  it("are all reported at once, by their paths", () => {
    const { failures } = expand({
      tabel: "x",
      partitionBy: { range: { column: "a", type: "date", every: "fortnight" } },
      asOf: "soon",
      window: { ahead: -1 },
      lifecycle: [
        { after: "1 day", tier: "dropped" },
        { after: "x", tier: "archived" },
      ],
      naming: 5,
      partitions: { a: { from: {} } },
    });
    assert.deepEqual(failures.map(({ property }) => property).sort(), [
      "asOf",
      "lifecycle[1].after",
      "lifecycle[1].tier",
      "naming",
      "partitionBy.range.every",
      "partitions.a.from",
      "tabel",
      "table",
      "window.ahead",
    ]);
  });

  it("never throw, whatever the inputs are", () => {
    const shape = fc.dictionary(
      fc.constantFrom(
        "table",
        "schema",
        "partitionBy",
        "window",
        "asOf",
        "lifecycle",
        "pins",
        "naming",
        "partitions",
        "adopt",
      ),
      fc.oneof(fc.jsonValue(), fc.constant(UNKNOWN)),
    );
    const key = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom("month", "2 weeks", 5, "date", "bigint", "timestamptz", "UTC", UNKNOWN),
    );
    fc.assert(
      fc.property(
        shape,
        fc.dictionary(fc.constantFrom("column", "type", "every", "timezone", "anchor", "offset"), key),
        (raw, by) => {
          const { desired, failures } = expand({ table: "t", partitionBy: { range: by }, ...raw });
          assert(desired === undefined || failures.length === 0);
        },
      ),
      { numRuns: 500 },
    );
  });
});
