import assert from "node:assert/strict";
import fc from "fast-check";
import { formatId, parseId } from "../../../provider/ids";
import { formatPath } from "../../../provider/paths";
import { nameOf, typeOf } from "../../../provider/urns";

describe("resource ids", () => {
  it("are read back whatever the names hold", () => {
    const name = fc.string({
      minLength: 1,
      maxLength: 20,
      unit: fc.constantFrom("a", "B", '"', ".", "/", " ", "ß", "表"),
    });
    fc.assert(
      fc.property(name, name, name, (database, schema, table) => {
        assert.deepEqual(parseId(formatId({ database, schema, table })), { database, schema, table });
      }),
    );
  });

  it("stay plain for plain names", () => {
    assert.equal(
      formatId({ database: "app", schema: "public", table: "ConversationMessage" }),
      "app/public.ConversationMessage",
    );
  });

  for (const text of ["", "events", "public.events", "app/events", "app/public.events.x", 'app/"public.events']) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseId(text), undefined));
  }
});

describe("property paths", () => {
  it("quotes what is not an identifier", () => {
    assert.equal(formatPath(["partitions", "events_2027_01", "tier"]), "partitions.events_2027_01.tier");
    assert.equal(formatPath(["partitions", "a b", "from"]), 'partitions["a b"].from');
    assert.equal(formatPath(["partitions", 'say "hi"']), 'partitions["say \\"hi\\""]');
    assert.equal(formatPath(["lifecycle", 1, "after"]), "lifecycle[1].after");
  });
});

describe("URNs", () => {
  const urn = "urn:pulumi:dev::stack::pgpartition:index:PartitionedTable$pgpartition:index:PartitionSet::events::2026";
  it("give the type of the resource itself", () => assert.equal(typeOf(urn), "pgpartition:index:PartitionSet"));
  it("give the whole name", () => assert.equal(nameOf(urn), "events::2026"));
});
