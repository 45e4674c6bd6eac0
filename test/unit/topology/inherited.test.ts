import assert from "node:assert/strict";
import type { AttributeDifference } from "../../../topology/attributes";
import type { ActualLevel } from "../../../topology/model";
import { belowRepaired } from "../../../topology/plan/inherited";

const GRANT = { attribute: "grants", name: "INSERT", role: "app" } as const;

/** The differences of the one table below, once `above` is put right. */
function below(own: AttributeDifference[], above: AttributeDifference[], grants?: "none"): AttributeDifference[] {
  const table = { oid: 1, schema: "s", name: "a", bound: { values: ["x"] }, state: "live" as const, relkind: "r" };
  const level: ActualLevel = {
    strategy: "list",
    keyColumns: ["k"],
    keyTypes: ["text"],
    references: [],
    referencedBy: [],
    children: [{ ...table, differences: own }],
    detached: [],
  };
  const children = grants && { children: { grants } as never };
  return belowRepaired(level, above, children ?? {}).children[0]?.differences ?? [];
}

describe("differences below a partition that is put right", () => {
  it("are gone where the table was right, and its parent was not", () => {
    assert.deepEqual(below([{ ...GRANT, expected: "granted" }], [{ ...GRANT, found: "granted" }]), []);
    const identity = { attribute: "replicaIdentity" } as const;
    const own = { ...identity, expected: "full", found: "default" };
    assert.deepEqual(below([own], [{ ...identity, expected: "default", found: "full" }]), []);
  });

  it("are those of the parent where the table is like it", () => {
    const above: AttributeDifference = { attribute: "columnDefaults", column: "n", expected: "7", found: "8" };
    assert.deepEqual(below([], [above]), [above]);
  });

  it("are measured by what the parent will be where the table is like neither", () => {
    const owner = { attribute: "owner" } as const;
    const own = { ...owner, expected: "bob", found: "eve" };
    const above = { ...owner, expected: "alice", found: "bob" };
    assert.deepEqual(below([own], [above]), [{ ...owner, expected: "alice", found: "eve" }]);
    assert.deepEqual(
      below(
        [{ ...GRANT, expected: "granted with grant option", found: "granted" }],
        [{ ...GRANT, found: "granted with grant option" }],
      ),
      [{ ...GRANT, found: "granted" }],
    );
  });

  it("stay where they are about something else, or are not handed down", () => {
    const own: AttributeDifference = { ...GRANT, expected: "granted" };
    assert.deepEqual(below([own], [{ ...GRANT, role: "other", found: "granted" }]).includes(own), true);
    assert.deepEqual(below([own], [{ attribute: "comment", found: "by hand" }]), [own]);
    assert.deepEqual(below([], [{ ...GRANT, found: "granted" }], "none"), []);
  });
});
