import assert from "node:assert/strict";
import { zstdProblem } from "../../../archive/zstd";

describe("compression", () => {
  it("is there in the Node.js that runs these tests", () => {
    assert.equal(zstdProblem(), undefined);
  });

  it("is missing before Node.js 22.15, which is said with the version that runs and what to do", () => {
    assert.match(
      zstdProblem({ zstd: false, version: "v20.20.2" }) ?? "",
      /22\.15 or later.*runs with v20\.20\.2\. Upgrade/,
    );
  });
});
