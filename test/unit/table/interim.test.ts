import assert from "node:assert/strict";
import { isInterim, notNullProof, replacementOf } from "../../../postgres/table/interim";

describe("names of constraints that exist during a change", () => {
  const long = "c".repeat(60);

  it("hold the whole name where there is room, and are recognised", () => {
    assert.equal(notNullProof("amount"), "pgpartition_not_null_amount");
    assert.equal(replacementOf("amount_positive"), "pgpartition_check_amount_positive");
    assert.ok(isInterim(notNullProof("amount")) && isInterim(replacementOf(long)));
  });

  it("fit into 63 bytes, and differ where only the cut ends do", () => {
    const names = [`${long}1`, `${long}2`, `${"名".repeat(20)}1`].flatMap((name) => [
      notNullProof(name),
      replacementOf(name),
    ]);
    assert.ok(
      names.every((name) => Buffer.byteLength(name) <= 63),
      names.join(" "),
    );
    assert.equal(new Set(names).size, names.length);
  });

  it("are not those of anybody else: a guard on DEFAULT, or a declared check", () => {
    assert.ok(!["pgpartition_guard", "amount_positive", "not_null_amount"].some(isInterim));
  });
});
