import assert from "node:assert/strict";
import { plannedParent } from "../../../postgres/parent";
import { renderStep } from "../../../postgres/statements";
import { planText, stepLine, summary } from "../../../provider/partitionSet/present";
import type { ActualParent, DesiredSet, PartitionBound } from "../../../topology/model";
import { bytesText, sizeText } from "../../../topology/sizeText";
import type { Plan, Step } from "../../../topology/steps";

const desired: DesiredSet = {
  schema: "public",
  table: "events",
  strategy: "range",
  keyColumns: ["at"],
  keyType: "date",
  partitions: {},
  unmanaged: "report",
  adopt: [],
};
const parent: ActualParent = {
  schema: "public",
  name: "events",
  oid: 1,
  strategy: "range",
  keyColumns: ["at"],
  keyTypes: ["date"],
  references: [],
  referencedBy: [],
};
const facts = plannedParent(desired, parent, 18);

function step(kind: Step["kind"], method: Step["method"], partition: string, more: Partial<Step> = {}): Step {
  return {
    id: `${kind}:${partition}`,
    kind,
    method,
    partition,
    schema: "public",
    reason: "declared",
    effect: { data: "none" },
    transaction: 1,
    after: [],
    ...more,
  };
}

const month = (number: number) => ({ from: `2026-0${number}-01`, to: `2026-0${number + 1}-01` });
const create = (number: number) => step("create", "likeAttach", `events_2026_0${number}`, { bound: month(number) });
const dropped = (name: string, rows: number, bytes: number): Step[] => [
  step("detach", "detachPlain", name, { oid: 7, effect: { data: "hides", rows, bytes } }),
  step("drop", "dropTable", name, { oid: 7, effect: { data: "deletes", rows, bytes } }),
];
const text = (steps: Step[]) => {
  const plan: Plan = { steps, findings: [], unchanged: [] };
  return planText("public.events", plan, (one) => ({ statements: renderStep(one, facts) }));
};

describe("summary of a plan", () => {
  it("counts a partition that is dropped once, with its rows and bytes", () => {
    const steps = [create(1), create(2), ...dropped("events_2020_01", 12000, 3_200_000)];
    assert.equal(summary(steps, false), "2 to create, 1 to drop (≈12,000 rows, 3.2 MB)");
    assert.equal(summary(steps, true), "2 created, 1 dropped (≈12,000 rows, 3.2 MB)");
  });

  it("leaves an estimate out rather than adding up half of it", () => {
    const steps = [...dropped("a", 12000, 1000), ...dropped("b", -1, 1000)];
    assert.equal(summary(steps, false), "2 to drop (2.0 kB)");
  });

  it("says which partitions rows come from and how many go where", () => {
    const from = (...names: string[]) =>
      names.map((name, at) => ({ schema: "public", name, oid: at + 7, bound: month(1) }));
    const to = (...numbers: number[]) => numbers.map((n) => ({ name: `events_2026_0${n}`, bound: month(n) }));
    const move = (sources: string[], targets: { name: string; bound: PartitionBound }[], bytes = 1000) =>
      step("reorganize", "copyAndSwap", "events_2026_01", {
        reorganization: { sources: from(...sources), targets },
        effect: { data: "moves", rows: 100, bytes },
      });
    const split = move(["events_2026"], to(1, 2, 3));
    assert.equal(
      summary([split, create(5)], false),
      "3 to create by splitting events_2026 (≈100 rows, 1.0 kB), 1 to create",
    );
    assert.equal(summary([move(["a", "b"], to(1))], true), "1 created by merging 2 others (≈100 rows, 1.0 kB)");
    assert.equal(summary([split, move(["b"], to(4, 5))], false), "5 to create out of 2 others (≈200 rows, 2.0 kB)");
    const remade = move(["events_2026_01"], to(1));
    assert.equal(summary([remade], false), "1 to make anew (≈100 rows, 1.0 kB)");
    assert.equal(summary([remade], true), "1 made anew (≈100 rows, 1.0 kB)");
    assert.equal(
      summary([split, remade], false),
      "3 to create by splitting events_2026 (≈100 rows, 1.0 kB), 1 to make anew (≈100 rows, 1.0 kB)",
    );
    const fallback = { name: "rest", bound: { default: true as const } };
    const rest = move([], [...to(1), fallback]);
    rest.reorganization!.sources.push({ schema: "public", oid: 9, ...fallback });
    assert.equal(summary([rest], false), "1 to create with rows of rest (≈100 rows, 1.0 kB)");
    assert.equal(
      stepLine(split),
      "reorganize events_2026 → events_2026_01, events_2026_02, events_2026_03  (declared)",
    );
    assert.match(
      stepLine(move(["a"], to(1, 2, 3, 4, 5))),
      / → events_2026_01, events_2026_02, events_2026_03, … events_2026_05 {2}/,
    );
  });

  it("says when there is nothing to do", () => assert.equal(summary([], false), "no changes"));
});

describe("sizes", () => {
  it("are decimal units with one digit", () => {
    assert.equal(bytesText(999), "999 B");
    assert.equal(bytesText(1500), "1.5 kB");
    assert.equal(bytesText(2_400_000_000), "2.4 GB");
    assert.equal(sizeText(-1, undefined), "");
  });
});

describe("text of a plan", () => {
  it("shows every statement that renderStep gives", () => {
    const steps = [create(1), ...dropped("events_2020_01", 10, 10)];
    const shown = text(steps);
    for (const { sql } of steps.flatMap((one) => renderStep(one, facts))) assert.ok(shown.includes(sql), sql);
  });

  it("names lock, duration and whom it blocks, but not locks on the table that the step makes", () => {
    const shown = text([create(1)]);
    assert.match(shown, /lock: SHARE UPDATE EXCLUSIVE on "public"\."events", short: blocks neither reads nor writes/);
    assert.ok(!/lock: .*events_2026_01/.test(shown), shown);
  });

  it("says which rows are deleted for good", () => {
    assert.match(
      text(dropped("events_2020_01", 12000, 3_200_000)),
      /rows are deleted \(≈12,000 rows, 3\.2 MB\), no undo/,
    );
  });

  it("does not repeat locks that the step before takes as well", () => {
    const shown = text([create(1), create(2)]);
    assert.equal(shown.match(/lock:/g)?.length, 1);
    assert.match(shown, /locks and data: as above/);
  });

  it("stays readable for a thousand partitions and says what is left out", () => {
    const steps = Array.from({ length: 1000 }, (_, n) =>
      step("create", "likeAttach", `events_${n}`, { bound: { from: String(n), to: String(n + 1) } }),
    );
    const lines = text(steps).split("\n");
    assert.ok(lines.length < 250, String(lines.length));
    assert.match(lines.at(-1) ?? "", /and 880 more steps/);
  });
});
