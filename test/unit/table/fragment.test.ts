import assert from "node:assert/strict";
import fc from "fast-check";
import { fragmentProblem } from "../../../topology/table/fragment";

describe("a fragment of SQL", () => {
  const WHOLE = [
    "now()",
    "'it''s; -- no comment'",
    "E'\\'; '",
    '"a;b" > 0',
    "$$ ; -- $$ || $tag$ $$ ( $tag$",
    "(a + (b)) * c[1]",
    "a -> '{b}' #>> '{c,d}'",
    "名 > 0",
    "a $ b",
  ];
  for (const sql of WHOLE) {
    it(`is whole: ${sql}`, () => assert.equal(fragmentProblem(sql, "expression"), undefined));
  }

  const BROKEN: [string, RegExp][] = [
    ["", /empty/],
    [" \n", /empty/],
    ["a\0b", /NUL/],
    ["lower(a", /lacks a closing "\)"/],
    ["a)", /"\)" that closes nothing/],
    ["(a]", /"\]" that closes nothing/],
    ["1; DROP TABLE x", /";"/],
    ["1 -- the rest", /comment/],
    ["1 /* the rest", /comment/],
    ["'open", /without its end/],
    ['"open', /without its end/],
    ["E'\\'", /without its end/],
    ["$a$ ' $b$", /without its end/],
  ];
  for (const [sql, reason] of BROKEN) {
    it(`is refused: ${JSON.stringify(sql)}`, () => assert.match(fragmentProblem(sql, "expression") ?? "", reason));
  }

  it("is a type when nothing else of a column's definition is in it", () => {
    for (const type of [
      "numeric(10, 2)",
      'public."not null"',
      "timestamp(3) with time zone",
      "text[]",
      "interval day",
    ]) {
      assert.equal(fragmentProblem(type, "type"), undefined, type);
    }
    const others = [
      "int NOT NULL",
      "int default 1",
      'text COLLATE "C"',
      "int, b int",
      "int primary key",
      "int check (a)",
    ];
    for (const type of others) {
      assert.notEqual(fragmentProblem(type, "type"), undefined, type);
      assert.equal(fragmentProblem(type, "expression"), undefined, type);
    }
  });

  it("hides anything inside quotes", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const quoted = `'${text.replaceAll("\0", "").replaceAll("'", "''")}'`;
        assert.equal(fragmentProblem(quoted, "expression"), undefined);
        assert.equal(fragmentProblem(`${quoted};`, "expression")?.includes(";"), true);
      }),
    );
  });
});
