import assert from "node:assert/strict";
import { Claims } from "../../../provider/claims";

const set = (name: string) => `urn:pulumi:test::e2e::pgpartition:index:PartitionSet::${name}`;
const table = (name: string) => `urn:pulumi:test::e2e::pgpartition:index:Table::${name}`;
const events = { schema: "public", name: "events" };

describe("claims on a table", () => {
  it("passes it on to another resource of the same type that the program declares", () => {
    const claims = new Claims();
    claims.declare(set("new"), events);
    assert.equal(claims.successor(set("old"), events), set("new"));
  });

  it("passes it on to the resource itself only when that was made anew in this run", () => {
    const claims = new Claims();
    claims.declare(set("events"), events);
    assert.equal(claims.successor(set("events"), events), undefined);
    claims.create(set("events"), events);
    assert.equal(claims.successor(set("events"), events), set("events"));
  });

  it("gives nothing to another type, another table, or while the table is not known", () => {
    const claims = new Claims();
    claims.declare(table("events"), events);
    claims.declare(set("other"), { schema: "public", name: "other" });
    claims.declare(set("unknown"), undefined);
    assert.equal(claims.successor(set("old"), events), undefined);
    assert.equal(claims.successor(set("old"), undefined), undefined);
  });
});
