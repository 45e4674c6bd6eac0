import assert from "node:assert/strict";
import { Digest } from "../../../tools/dev/digest";

const shownOf = (lines: readonly string[]) => {
  const digest = new Digest();
  return { lines: lines.flatMap((line) => digest.next(line)), isShortened: digest.isShortened };
};

const step = (number: number, kind: string, lines = 2) => [
  `      ${number}. ${kind} events_${number}  a … b`,
  ...Array.from({ length: lines - 1 }, (_, at) => `          STATEMENT ${at}`),
];

describe("what npm start shows of Pulumi's output", () => {
  it("is all of a short one, but for progress", () => {
    const preview = ["Previewing update (dev):", "", "    pulumi:pulumi:Stack dev  ", "Resources:", "    60 unchanged"];
    const progress = [
      "@ previewing update.....",
      " +  pgpartition:index:Table events creating (0.2s) ",
      " +  pgpartition:index:Table events create ",
    ];
    assert.deepEqual(shownOf([...preview, ...progress]), { lines: preview, isShortened: false });
  });

  it("is the first of many partitions, with their number", () => {
    const rows = Array.from({ length: 40 }, (_, at) => ` +  pgpartition:index:Partition events_${at} create`);
    const set = " +  pgpartition:index:PartitionSet events create; 40 to create";
    const { lines, isShortened } = shownOf([set, ...rows, "Resources:"]);
    assert.deepEqual(lines, [set, ...rows.slice(0, 6), "    … and 34 more partitions", "Resources:"]);
    assert.ok(isShortened);
  });

  it("is the first step of each kind of each table, and every warning", () => {
    const block = (name: string) => [
      `  pgpartition:index:PartitionSet (${name}):`,
      `    public.${name}: 3 to create`,
      ...step(1, "create"),
      ...step(2, "create"),
      ...step(3, "detach"),
      ...step(4, "create"),
      "    warning: look at this",
    ];
    const { lines } = shownOf(["Diagnostics:", ...block("a"), ...block("b"), "Resources:"]);
    const expected = (name: string) => [
      ...block(name).slice(0, 4),
      ...step(3, "detach"),
      "    warning: look at this",
      "      … and 2 more steps of these kinds",
    ];
    assert.deepEqual(lines, ["Diagnostics:", ...expected("a"), ...expected("b"), "Resources:"]);
  });

  it("is the begin of a long step", () => {
    const { lines } = shownOf(["Diagnostics:", "  a:b:C (x):", ...step(1, "create table", 30), "Resources:"]);
    assert.deepEqual(lines.slice(2), [...step(1, "create table", 16), "          …", "Resources:"]);
  });
});
