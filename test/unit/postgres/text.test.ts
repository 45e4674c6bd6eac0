import assert from "node:assert/strict";
import fc from "fast-check";
import { boundClause, boundPredicate } from "../../../postgres/boundSql";
import { MAX_NAME_BYTES, nameWithSuffix, qualified, quoteIdent, quoteLiteral } from "../../../postgres/identifiers";
import { requalify } from "../../../postgres/requalify";

describe("identifiers and literals", () => {
  it("quote always and double quotes inside", () => {
    assert.equal(quoteIdent("events"), '"events"');
    assert.equal(qualified({ schema: 'My "s"', name: "Ünï" }), '"My ""s"""."Ünï"');
    assert.equal(quoteLiteral("it's"), "'it''s'");
    assert.equal(quoteLiteral("a\\b"), "E'a\\\\b'");
  });

  it("refuse what PostgreSQL would cut or cannot store", () => {
    assert.throws(() => quoteIdent(""), /empty/);
    assert.throws(() => quoteIdent("a\0b"), /NUL/);
    assert.throws(() => quoteLiteral("a\0b"), /NUL/);
    assert.equal(quoteIdent("x".repeat(63)).length, 65);
    assert.throws(() => quoteIdent("x".repeat(64)), /64 bytes/);
    assert.throws(() => quoteIdent("ä".repeat(32)), /64 bytes/);
  });

  it("give back their text when the quotes are taken away", () => {
    const name = fc.string({ minLength: 1, maxLength: 15, unit: "grapheme" }).filter((text) => !text.includes("\0"));
    fc.assert(
      fc.property(name, (text) => {
        fc.pre(Buffer.byteLength(text) <= MAX_NAME_BYTES);
        const quoted = quoteIdent(text);
        assert.equal(quoted.slice(1, -1).replaceAll('""', '"'), text);
      }),
    );
  });

  it("shorten a name between characters so that its suffix stays", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80, unit: "grapheme" }), (text) => {
        const name = nameWithSuffix(text, "_stat1");
        assert.ok(Buffer.byteLength(name) <= MAX_NAME_BYTES);
        assert.ok(name.endsWith("_stat1") && text.startsWith(name.slice(0, -6)));
      }),
    );
    assert.equal(nameWithSuffix("ä".repeat(40), "_x"), `${"ä".repeat(30)}_x`);
  });
});

describe("bounds as SQL", () => {
  const k = [{ sql: '"k"', type: "integer" }];
  const ab = [
    { sql: "a", type: "integer" },
    { sql: "b", type: "text" },
  ];

  it("print every kind of bound", () => {
    assert.equal(boundClause({ default: true }), "DEFAULT");
    assert.equal(boundClause({ modulus: 16, remainder: 3 }), "FOR VALUES WITH (MODULUS 16, REMAINDER 3)");
    assert.equal(boundClause({ values: ["it's", null] }), "FOR VALUES IN ('it''s', NULL)");
    assert.equal(boundClause({ from: "MINVALUE", to: "2026-01-01" }), "FOR VALUES FROM (MINVALUE) TO ('2026-01-01')");
    assert.equal(
      boundClause({ from: ["1", "MINVALUE"], to: ["2", "x"] }),
      "FOR VALUES FROM ('1', MINVALUE) TO ('2', 'x')",
    );
  });

  it("say which rows belong to them", () => {
    assert.equal(boundPredicate({ default: true }, k), undefined);
    assert.equal(boundPredicate({ modulus: 2, remainder: 0 }, k), undefined);
    assert.equal(
      boundPredicate({ from: "1", to: "5" }, k),
      `"k" IS NOT NULL AND "k" >= '1'::integer AND "k" < '5'::integer`,
    );
    assert.equal(boundPredicate({ from: "MINVALUE", to: "5" }, k), `"k" IS NOT NULL AND "k" < '5'::integer`);
    assert.equal(boundPredicate({ values: ["1"] }, k), `"k" IS NOT NULL AND "k" = '1'::integer`);
    assert.equal(
      boundPredicate({ values: ["1", "2", null] }, k),
      `("k" IS NULL OR "k" = ANY (ARRAY['1'::integer, '2'::integer]))`,
    );
    assert.equal(boundPredicate({ values: [null] }, k), `"k" IS NULL`);
    assert.equal(
      boundPredicate({ from: ["1", "x"], to: ["2", "MINVALUE"] }, ab),
      "a IS NOT NULL AND b IS NOT NULL AND (a > '1'::integer OR (a = '1'::integer AND b >= 'x'::text)) AND a < '2'::integer",
    );
    assert.equal(
      boundPredicate({ from: ["1", "MINVALUE"], to: ["1", "MAXVALUE"] }, ab),
      "a IS NOT NULL AND b IS NOT NULL AND (a > '1'::integer OR a = '1'::integer) AND (a < '1'::integer OR a = '1'::integer)",
    );
  });
});

describe("expressions moved to another table", () => {
  const move = (expression: string) => requalify(expression, "events", "events 2", ["tenant", "Id"]);

  it("name the other table where they named the table", () => {
    assert.equal(
      move("(EXISTS ( SELECT 1 FROM s.a WHERE (a.t = events.tenant)))"),
      '(EXISTS ( SELECT 1 FROM s.a WHERE (a.t = "events 2".tenant)))',
    );
    assert.equal(move('events."Id" = 1'), '"events 2"."Id" = 1');
  });

  it("leave literals, schemas, functions and longer names alone", () => {
    for (const text of [
      "'events.tenant'",
      "events.other",
      "events.tenant(1)",
      "x.events.tenant",
      "events.tenant.x",
      "my_events.tenant",
      '"Events".tenant',
      "tenant",
    ]) {
      assert.equal(move(text), text);
    }
  });
});
