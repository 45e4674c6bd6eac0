import assert from "node:assert/strict";
import { UNREADABLE } from "../../../postgres/server";
import {
  type FoundIdentity,
  type Identity,
  IdentityMismatch,
  identityText,
  recordedIdentity,
  requireIdentity,
} from "../../../provider/identity";

const recorded: Identity = { systemIdentifier: "71", database: "app", parentOid: 16400 };
const require = (actual: FoundIdentity, accept?: string) => requireIdentity(recorded, actual, accept, "public.events");

describe("identity of cluster, database and table", () => {
  it("accepts what was recorded", () => assert.equal(require({ ...recorded }), false));

  for (const [what, change] of [
    ["another cluster", { systemIdentifier: "72" }],
    ["another database", { database: "other" }],
    ["a re-created table", { parentOid: 16999 }],
  ] as const) {
    it(`refuses ${what}, names both sides and the value that accepts it`, () => {
      const actual = { ...recorded, ...change };
      assert.throws(
        () => require(actual),
        (error: Error) =>
          error instanceof IdentityMismatch &&
          error.message.includes(what) &&
          error.message.includes(`acceptIdentity: "${identityText(actual)}"`),
      );
    });

    it(`accepts ${what} when exactly that is accepted`, () => {
      const actual = { ...recorded, ...change };
      assert.equal(require(actual, identityText(actual)), true);
      assert.throws(() => require({ ...actual, parentOid: 1 }, identityText(actual)), IdentityMismatch);
    });
  }

  it("takes a table that is gone from its own database for drift", () => {
    assert.equal(require({ ...recorded, parentOid: undefined }), false);
  });

  it("refuses a database without the table; the value that accepts it also holds once the table is made there", () => {
    const elsewhere = { ...recorded, database: "other", parentOid: undefined };
    assert.throws(() => require(elsewhere), /where there is no such table.*acceptIdentity: "71\/other\/none"/);
    assert.equal(require(elsewhere, "71/other/none"), true);
    assert.equal(require({ ...elsewhere, parentOid: 5 }, "71/other/none"), true);
    assert.throws(() => require({ ...recorded, parentOid: 5 }, "71/app/none"), IdentityMismatch);
  });

  it("does not judge by a system identifier that the role may not read", () => {
    assert.equal(require({ ...recorded, systemIdentifier: UNREADABLE }), false);
    assert.throws(() => require({ ...recorded, systemIdentifier: UNREADABLE, parentOid: 2 }), IdentityMismatch);
  });

  it("reads only a complete record", () => {
    assert.deepEqual(recordedIdentity({ identity: recorded }), recorded);
    assert.equal(recordedIdentity({ identity: { ...recorded, parentOid: "16400" } }), undefined);
    assert.equal(recordedIdentity({}), undefined);
  });
});
