import assert from "node:assert/strict";
import { findingOf, GRADES, type Grade, worst } from "../../../archive/grade";
import { PROOF_FAILURES, ProofError, type ProofFailure } from "../../../archive/proofError";
import { STORE_FAILURES, StoreError, type StoreFailure } from "../../../archive/store";

const explain = (error: unknown) => String(error);

describe("grades of archives", () => {
  it("are as bad as the worst thing found", () => {
    assert.equal(worst([]), "OK");
    assert.equal(worst(["DELAYED", "OK", "CORRUPT", "MISSING"]), "CORRUPT");
    assert.equal(worst(["STALE", "UNKNOWN", "DELAYED"]), "UNKNOWN");
  });

  it("have an exit status each, and only OK has none", () => {
    const statuses = Object.values(GRADES).map(({ status }) => status);
    assert.equal(new Set(statuses).size, statuses.length);
    assert.deepEqual(
      Object.keys(GRADES).filter((grade) => GRADES[grade as Grade].status === 0),
      ["OK"],
    );
    assert.ok(!statuses.some((status) => Number(status) === 2), "that is wrong usage");
  });

  it("say of a store that does not answer that nothing is known", () => {
    const ofStore = (failure: string) => findingOf(new StoreError(failure as StoreFailure, "x"), explain).grade;
    assert.deepEqual(
      Object.keys(STORE_FAILURES).map((failure) => [failure, ofStore(failure)]),
      [
        ["missing", "MISSING"],
        ["exists", "UNKNOWN"],
        ["refused", "UNKNOWN"],
        ["full", "UNKNOWN"],
        ["frozen", "DELAYED"],
        ["corrupt", "CORRUPT"],
        ["unreachable", "UNKNOWN"],
      ],
    );
    const ofProof = (failure: string) => findingOf(new ProofError(failure as ProofFailure, "x"), explain).grade;
    assert.deepEqual(Object.keys(PROOF_FAILURES).map(ofProof), ["MISSING", "CORRUPT", "CORRUPT", "STALE", "CORRUPT"]);
    assert.equal(findingOf(new Error("the session was lost"), explain).grade, "UNKNOWN");
  });
});
