import assert from "node:assert/strict";
import type { Alteration } from "../../../postgres/table/alteration";
import { statement } from "../../../postgres/table/create";
import { alterationText } from "../../../provider/table/present";

const COUNT = 30;

/** An alteration of a table with so many partitions. */
function alteration(): Alteration {
  const partitions = Array.from({ length: COUNT }, (_, index) => ({
    oid: index + 1,
    schema: "public",
    name: `p${index}`,
    relkind: "r",
    parent: 1,
    pending: false,
    owner: "o",
    rows: 1000,
    bytes: 8192,
  }));
  const locks = partitions.map(({ name }) => ({ relation: name, mode: "ACCESS EXCLUSIVE", hold: "instant" }) as const);
  return {
    difference: { kind: "checkMissing", severity: "change", path: "checks[0]", reason: "" },
    title: 'the check "c"',
    begin: [statement("BEGINNING", locks)],
    pieces: partitions.map((partition) => ({
      partition,
      statements: [
        statement(`VALIDATE ${partition.name}`, [
          { relation: partition.name, mode: "SHARE UPDATE EXCLUSIVE", hold: "scan" },
        ]),
      ],
      takeBack: [],
    })),
    finish: [statement("END")],
    takeBack: [statement("TAKE BACK")],
  };
}

describe("a longer change of a parent in words", () => {
  const lines = alterationText("public.t", alteration()).split("\n");

  it("begins with how much is read", () => {
    assert.equal(lines[0], 'public.t, checks[0]: the check "c": reads 30 partitions (≈30,000 rows, 245.8 kB)');
  });

  it("names every partition, and repeats neither statements nor locks for hundreds of them", () => {
    for (let index = 0; index < COUNT; index++) assert.ok(lines.some((line) => line.includes(`"p${index}"`)));
    assert.equal(lines.filter((line) => line.includes("VALIDATE")).length, 20);
    assert.equal(lines.filter((line) => line.endsWith(": the same")).length, COUNT - 20);
    assert.ok(lines.includes("        lock: the same on 18 more of its partitions"));
  });

  it("ends with what is done last, and what only rows in the way would bring", () => {
    assert.deepEqual(lines.slice(-4), [
      "    at last:",
      "        END",
      "    only if rows are in the way:",
      "        TAKE BACK",
    ]);
  });
});
