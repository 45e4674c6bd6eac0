import assert from "node:assert/strict";
import { type ParentFacts, plannedParent } from "../../../postgres/parent";
import { renderStep } from "../../../postgres/statements";
import { whyExclusive } from "../../../provider/partitionSet/exclusive";
import type { Step, StepMethod } from "../../../topology/steps";

const NAME = { schema: "public", name: "events" };
const PLAIN: ParentFacts = {
  ...plannedParent({
    schema: "public",
    table: "events",
    strategy: "range",
    keyColumns: ["at"],
    partitions: {},
    unmanaged: "report",
    adopt: [],
  }),
  references: [{ schema: "public", name: "account" }],
  referencedBy: [{ schema: "public", name: "entry" }],
};
const WITH_DEFAULT = { ...PLAIN, defaultPartition: { schema: "public", name: "events_default" } };
const WITH_ITSELF = { ...PLAIN, itself: [NAME] };

const METHODS: StepMethod[] = [
  "partitionOf",
  "likeAttach",
  "attach",
  "detachAttach",
  "detachConcurrently",
  "detachPlain",
  "finalize",
  "guard",
  "unguard",
  "prove",
  "unprove",
  "dropTable",
  "moveInOneTransaction",
  "copyAndSwap",
];

function why(method: StepMethod, facts: ParentFacts): { exclusive: boolean; reason: string | undefined } {
  const step: Step = {
    id: "x",
    kind: "detach",
    method,
    partition: "events_1",
    schema: "public",
    bound: { from: "1", to: "2" },
    reorganization: {
      sources: [{ schema: "public", name: "events_0", oid: 7, bound: { from: "1", to: "3" } }],
      targets: [
        { name: "events_1", bound: { from: "1", to: "2" } },
        { name: "events_2", bound: { from: "2", to: "3" } },
      ],
    },
    reason: "declared",
    effect: { data: "none" },
    transaction: 1,
    after: [],
  };
  const statements = renderStep(step, facts);
  const exclusive = statements.some(({ locks }) =>
    locks.some(({ relation, mode }) => relation === '"public"."events"' && mode === "ACCESS EXCLUSIVE"),
  );
  return { exclusive, reason: whyExclusive(step, statements, facts) };
}

describe("ACCESS EXCLUSIVE on the parent", () => {
  for (const [title, facts] of Object.entries({ PLAIN, WITH_DEFAULT, WITH_ITSELF })) {
    it(`has a reason wherever it is taken, and only there: ${title}`, () => {
      for (const method of METHODS) {
        const { exclusive, reason } = why(method, facts);
        assert.equal(reason !== undefined, exclusive, method);
      }
    });
  }

  it("names what would spare it", () => {
    assert.match(why("detachPlain", WITH_DEFAULT).reason ?? "", /once "public"\."events_default" is gone/);
    assert.match(why("detachPlain", WITH_ITSELF).reason ?? "", /without that foreign key/);
    assert.match(why("detachPlain", PLAIN).reason ?? "", /without a successor/);
  });

  it("is not taken by what is added to a parent in use, or leaves it without DEFAULT", () => {
    for (const method of ["likeAttach", "attach", "detachConcurrently", "finalize", "dropTable"] as const) {
      assert.equal(why(method, PLAIN).exclusive, false, method);
    }
  });
});
