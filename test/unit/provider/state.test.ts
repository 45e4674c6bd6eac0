import assert from "node:assert/strict";
import { diffSet } from "../../../provider/partitionSet/diff";
import { knownOids, outputsFromActual, outputsFromPlan, withNewNames } from "../../../provider/partitionSet/state";
import type { ActualPartition, ActualSet } from "../../../topology/model";
import { expand } from "../../../topology/policy";
import type { Step } from "../../../topology/steps";

const identity = { systemIdentifier: "71", database: "app", parentOid: 1 };

const inputsAt = (asOf: string, more: Record<string, unknown> = {}, old?: Record<string, unknown>) => {
  const { checked, failures } = expand(
    {
      table: "events",
      partitionBy: { range: { column: "at", type: "date", every: "month" } },
      window: { from: "2026-01", ahead: 0 },
      asOf,
      ...more,
    },
    old,
  );
  assert.deepEqual(failures, []);
  return checked;
};

const child = (name: string, from: string, to: string, more: Partial<ActualPartition> = {}): ActualPartition => ({
  schema: "public",
  name,
  oid: 100 + Number(name.slice(-2)),
  bound: { from, to },
  state: "live",
  relkind: "r",
  ...more,
});
const january = child("events_2026_01", "2026-01-01", "2026-02-01");
const february = child("events_2026_02", "2026-02-01", "2026-03-01");
const actual = (...children: ActualPartition[]): ActualSet => ({
  source: "catalog",
  children,
  detached: [],
  strangers: [],
});

const paths = (inputs: Record<string, unknown>, seen: ActualSet, oldInputs = inputs) =>
  diffSet({ id: "x", olds: outputsFromActual(oldInputs, seen, identity), oldInputs, news: inputs }).differences.map(
    ({ path, kind }) => `${kind} ${path}`,
  );

describe("outputs and differences of a set", () => {
  it("hold no counts or sizes, which would change at every refresh", () => {
    const outputs = outputsFromActual(inputsAt("2026-01"), actual({ ...january, rows: 5, bytes: 8192 }), identity);
    assert.deepEqual(outputs.partitions, { events_2026_01: { ...january.bound, tier: "live" } });
    assert.deepEqual(outputs.oids, { events_2026_01: january.oid });
  });

  it("show nothing when everything is as declared", () => {
    assert.deepEqual(paths(inputsAt("2026-02"), actual(january, february)), []);
  });

  it("show a roll-forward as the cause and its one partition", () => {
    const before = inputsAt("2026-01");
    const after = inputsAt("2026-02", {}, before);
    assert.deepEqual(paths(after, actual(january), before), ["update asOf", "add partitions.events_2026_02"]);
  });

  it("show a tier that the lifecycle changes", () => {
    const lifecycle = [{ after: "0 days", tier: "detached" }];
    const before = inputsAt("2026-01", { lifecycle });
    const after = inputsAt("2026-02", { lifecycle }, before);
    assert.ok(paths(after, actual(january), before).includes("update partitions.events_2026_01.tier"));
  });

  it("show what was done by hand: dropped, re-bounded, half detached", () => {
    const inputs = inputsAt("2026-02");
    assert.deepEqual(paths(inputs, actual(january)), ["add partitions.events_2026_02"]);
    const moved = { ...february, bound: { from: "2026-02-02", to: "2026-03-01" } };
    assert.deepEqual(paths(inputs, actual(january, moved)), ["update partitions.events_2026_02.from"]);
    const pending: ActualPartition = { ...february, state: "pending" };
    assert.deepEqual(paths(inputs, actual(january, pending)), ["update partitions.events_2026_02.tier"]);
  });

  it("warn of a partition that nobody declares, or refuse it, or leave it alone, as declared", () => {
    const extra = child("handmade_07", "2020-01-01", "2020-02-01");
    const seen = actual(january, extra);
    const reported = inputsAt("2026-01");
    const olds = outputsFromActual(reported, seen, identity);
    const { differences, warnings } = diffSet({ id: "x", olds, oldInputs: reported, news: reported });
    assert.deepEqual(differences, []);
    assert.match(warnings?.[0] ?? "", /nobody declares: handmade_07/);
    assert.deepEqual(paths(inputsAt("2026-01", { unmanaged: "refuse" }), seen), ["delete partitions.handmade_07"]);
    const ignored = inputsAt("2026-01", { unmanaged: "ignore" });
    assert.deepEqual(diffSet({ id: "x", olds, oldInputs: ignored, news: ignored }), { differences: [], warnings: [] });
  });

  it("compare only partitions after an import, because a policy can say the same", () => {
    const policy = inputsAt("2026-01");
    const imported = { schema: "public", table: "events", partitions: { events_2026_01: january.bound } };
    const olds = { ...outputsFromActual(imported, actual(january), identity), imported: true };
    assert.deepEqual(diffSet({ id: "x", olds, oldInputs: imported, news: policy }).differences, []);
  });

  it("replace the set when it is about another parent", () => {
    const before = inputsAt("2026-01");
    const other = { ...before, table: "other" };
    const { differences } = diffSet({
      id: "x",
      olds: outputsFromActual(before, actual(january), identity),
      oldInputs: before,
      news: other,
    });
    assert.deepEqual(
      differences.filter(({ path }) => path === "table").map(({ kind }) => kind),
      ["updateReplace"],
    );
  });

  it("promise in a preview what the steps lead to", () => {
    const base = { schema: "public", reason: "", effect: { data: "none" as const }, transaction: 1, after: [] };
    const steps: Step[] = [
      { ...base, id: "a", kind: "create", method: "likeAttach", partition: "events_2026_02", bound: february.bound },
      { ...base, id: "b", kind: "detach", method: "detachPlain", partition: "events_2026_01", oid: january.oid },
    ];
    const plan = { steps, findings: [], unchanged: [] };
    const outputs = outputsFromPlan(inputsAt("2026-02"), actual(january), plan, identity, {});
    assert.deepEqual(outputs.partitions, {
      events_2026_01: { ...january.bound, tier: "detached" },
      events_2026_02: { ...february.bound, tier: "live" },
    });
  });

  it("promise that a detach which was left half done is finished", () => {
    const base = { schema: "public", reason: "", effect: { data: "hides" as const }, transaction: 1, after: [] };
    const step: Step = { ...base, id: "a", kind: "finalizeDetach", method: "finalize", partition: january.name };
    const plan = { steps: [step], findings: [], unchanged: [] };
    const outputs = outputsFromPlan(inputsAt("2026-02"), actual({ ...january, state: "pending" }), plan, identity, {});
    assert.deepEqual(outputs.partitions, { events_2026_01: { ...january.bound, tier: "detached" } });
  });

  it("promise the targets of a reorganization in the place of its sources, and what leaves again", () => {
    const base = { schema: "public", reason: "", effect: { data: "none" as const }, transaction: 1, after: [] };
    const year = child("events_2026_99", "2026-01-01", "2026-03-01");
    const targets = [january, february].map(({ name, bound }) => ({ name, bound }));
    const madeBy = "a";
    const steps: Step[] = [
      {
        ...base,
        id: "a",
        kind: "reorganize",
        method: "copyAndSwap",
        partition: january.name,
        reorganization: { sources: [year], targets },
      },
      {
        ...base,
        id: "b",
        kind: "detach",
        method: "detachPlain",
        partition: january.name,
        bound: january.bound,
        madeBy,
      },
    ];
    const plan = { steps, findings: [], unchanged: [] };
    const outputs = outputsFromPlan(inputsAt("2026-02"), actual(year), plan, identity, {});
    assert.deepEqual(outputs.partitions, {
      events_2026_01: { ...january.bound, tier: "detached" },
      events_2026_02: { ...february.bound, tier: "live" },
    });
  });

  it("promise a renamed partition under its new name", () => {
    const base = { schema: "public", reason: "", effect: { data: "none" as const }, transaction: 1, after: [] };
    const current = { schema: "public", name: "handmade_01" };
    const step: Step = { ...base, id: "a", kind: "rename", method: "rename", partition: january.name, current };
    const plan = { steps: [step], findings: [], unchanged: [] };
    const seen = actual({ ...january, name: "handmade_01" });
    const outputs = outputsFromPlan(inputsAt("2026-01"), seen, plan, identity, {});
    assert.deepEqual(outputs.partitions, { events_2026_01: { ...january.bound, tier: "live" } });
  });

  it("know a partition by the name that the program gives it now", () => {
    const before = inputsAt("2026-02");
    const olds = outputsFromActual(before, actual(january, february), identity);
    const after = inputsAt("2026-02", { naming: "{table}_p{yyyy}_{mm}" }, before);
    assert.deepEqual(withNewNames(olds, before, after).oids, {
      events_2026_01: january.oid,
      events_2026_02: february.oid,
      events_p2026_01: january.oid,
      events_p2026_02: february.oid,
    });
    assert.equal(withNewNames(olds, before, before), olds);
    const { differences, warnings } = diffSet({ id: "x", olds, oldInputs: before, news: after });
    assert.deepEqual(
      differences.map(({ path, kind }) => `${kind} ${path}`),
      [
        "update naming",
        "add partitions.events_p2026_01",
        "add partitions.events_p2026_02",
        "delete partitions.events_2026_01",
        "delete partitions.events_2026_02",
      ],
    );
    assert.deepEqual(warnings, []);
  });

  it("show a larger partition that gives its rows to declared ones as going", () => {
    const inputs = inputsAt("2026-02");
    const year = child("events_2026_99", "2026-01-01", "2026-03-01");
    assert.deepEqual(paths(inputs, actual(year)), [
      "add partitions.events_2026_01",
      "add partitions.events_2026_02",
      "delete partitions.events_2026_99",
    ]);
    const never = inputsAt("2026-02", { reorganize: "refuse" });
    assert.deepEqual(paths(never, actual(year)), ["add partitions.events_2026_01", "add partitions.events_2026_02"]);
  });

  it("prove nothing by OID without an identity or after a move", () => {
    const outputs = outputsFromActual(inputsAt("2026-01"), actual(january), identity);
    assert.deepEqual(knownOids(outputs, false), { events_2026_01: january.oid });
    assert.deepEqual(knownOids(outputs, true), {});
    assert.deepEqual(knownOids({ ...outputs, identity: undefined }, false), {});
  });
});
