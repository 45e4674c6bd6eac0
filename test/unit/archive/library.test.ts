/** What is said when a library is needed that is not installed. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { missingLibrary } from "../../../archive/library";
import { ArchiveError } from "../../../postgres/errors";

describe("a library that is not installed", () => {
  it("is told in one line, without the files that led to it", () => {
    let found: unknown;
    try {
      createRequire(__filename)("no-such-library");
    } catch (error) {
      found = error;
    }
    assert.match(String(found), /\n/);
    const error = missingLibrary("archive.encryption needs a library", "no-such-library", found);
    assert.ok(error instanceof ArchiveError);
    assert.equal(
      error.message,
      "archive.encryption needs a library: npm install no-such-library (Cannot find module 'no-such-library')",
    );
  });
});
