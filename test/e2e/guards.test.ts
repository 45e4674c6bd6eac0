/**
 * Inputs that cannot be right: a preview refuses them all at once, each with the path of the property, and needs no
 * database for that. The engine ends at the first resource with failures, so each preview declares one.
 */
import assert from "node:assert/strict";
import { TestStack } from "../support/stack";

interface Case {
  title: string;
  type: "PartitionSet" | "Table";
  args: object;
  /** What must be said about which property, and nothing else. */
  failures: Record<string, RegExp>;
}

const monthly = { range: { column: "at", type: "date", every: "month" } };

const CASES: Case[] = [
  {
    title: "a window, a date, tiers and bounds that cannot be",
    type: "PartitionSet",
    args: {
      table: "events",
      partitionBy: monthly,
      window: { ahead: -1 },
      asOf: "next week",
      lifecycle: [
        { after: "1 month", tier: "exported" },
        { after: "2 months", tier: "archived" },
      ],
      partitions: {
        first: { from: "2025-01-01", to: "2025-06-01" },
        second: { from: "2025-05-01", to: "2025-07-01" },
        nowhere: { from: "2025-09-01", to: "2025-09-01" },
        other_type: { from: "yesterday", to: "2026-01-01" },
      },
      unmanaged: "drop",
      windoww: {},
    },
    failures: {
      windoww: /did you mean window/,
      "window.ahead": /at least 0/,
      "lifecycle[0].tier": /needs an archive: declare archive/,
      "lifecycle[1].tier": /needs an archive: declare archive/,
      unmanaged: /must be one of ignore, report, refuse/,
      asOf: /"next week" is not a date/,
      "partitions.nowhere.to": /an empty range holds no row/,
      "partitions.other_type.from": /"yesterday" is not a date/,
      "partitions.second": /overlaps "first" \(2025-01-01 … 2025-06-01\)/,
    },
  },
  {
    title: "a period that is none",
    type: "PartitionSet",
    args: { table: "events", partitionBy: { range: { column: "at", type: "date", every: "fortnight" } }, asOf: 26 },
    failures: {
      "partitionBy.range.every": /"fortnight" is not an interval for a key of type date/,
      asOf: /"26" is not a date/,
    },
  },
  {
    title: "names that PostgreSQL would cut",
    type: "PartitionSet",
    args: {
      table: "e".repeat(60),
      partitionBy: monthly,
      asOf: "2026-01",
      naming: "{table}_{yyyy}_{mm}",
      defaultPartition: true,
    },
    failures: {
      naming: /has 68 bytes; PostgreSQL would cut it at 63/,
      defaultPartition: /has 68 bytes; PostgreSQL would cut it at 63/,
    },
  },
  {
    title: "a template that gives two partitions one name",
    type: "PartitionSet",
    args: { table: "events", partitionBy: monthly, asOf: "2026-11", naming: "{table}_{mm}", window: { ahead: 12 } },
    failures: {
      naming: /"events_11" stands for 2026-11-01 … 2026-12-01 and for 2027-11-01 … 2027-12-01/,
    },
  },
  {
    title: "a LIST with a value twice and values of another type",
    type: "PartitionSet",
    args: {
      table: "orders",
      partitionBy: {
        list: { column: "shop", type: "integer", values: { one: [1, 2], two: [2, 3], three: ["three"] } },
      },
      window: { ahead: 1 },
    },
    failures: {
      window: /is for RANGE policies, not LIST/,
      "partitionBy.list.values.two[0]": /the value 2 is in "one" already/,
      "partitionBy.list.values.three[0]": /"three" is not a whole number/,
    },
  },
  {
    title: "a table whose keys cannot work",
    type: "Table",
    args: {
      name: "events",
      partitionBy: { range: { column: "at" } },
      columns: [
        { name: "id", type: "bigint" },
        { name: "at", type: "date" },
      ],
      primaryKey: ["id"],
      unique: [{ columns: ["id", "when"] }],
      indexes: [{ name: "events_nope", columns: ["nope"] }],
      foreignKeys: [{ columns: ["id", "id"], references: { table: "other", columns: ["id"] } }],
      onDelete: "detach",
    },
    failures: {
      onDelete: /must be one of "refuse", "drop"/,
      primaryKey: /must contain every partition key column: write \["id", "at"\]/,
      "unique[0].columns": /lacks the partition key column "at"/,
      "unique[0].columns[1]": /"when" is not one of the declared columns/,
      "foreignKeys[0].columns[1]": /"id" is named twice/,
      "foreignKeys[0].references.columns": /has 1 columns, the foreign key has 2/,
      "indexes[0].columns[0]": /"nope" is not one of the declared columns/,
    },
  },
];

describe("inputs that cannot be right", () => {
  let stack: TestStack;

  before(async () => {
    // Nothing listens there: a refusal needs no database.
    const database = { host: "127.0.0.1", port: 1, user: "nobody", password: "x", database: "none" };
    stack = await TestStack.create({ database, program: "" });
  });

  after(() => stack?.remove());

  for (const { title, type, args, failures } of CASES) {
    it(`refuses ${title}: each by its path, all in one preview`, async () => {
      await stack.setProgram(`new pgp.${type}("refused", ${JSON.stringify(args)}, { provider });`);
      const preview = await stack.preview();
      const said = preview.diagnostics.map(({ message }) => message);
      assert.notEqual(preview.code, 0);
      for (const [path, reason] of Object.entries(failures)) {
        const line = said.find((message) => message.includes(`property ${path} value`));
        assert.match(line ?? "", reason, `${path} in\n${said.join("")}`);
      }
      assert.equal(said.length, Object.keys(failures).length, said.join(""));
    });
  }
});
