import assert from "node:assert/strict";
import { type ActualEntry, difference } from "../../../topology/difference";
import { actualFromState } from "../../../topology/fromState";
import type { DesiredPartition, DesiredSet } from "../../../topology/model";
import { plan } from "../../../topology/plan";
import { expand } from "../../../topology/policy";
import { monthly } from "./inputs";

const live = (from: string, to: string): DesiredPartition => ({ from, to, tier: "live" });

describe("difference", () => {
  const shown = (
    desired: Record<string, DesiredPartition>,
    actual: Record<string, ActualEntry>,
    retired?: DesiredSet["retired"],
  ) => difference(desired, actual, { retired }).map(({ path, kind }) => `${kind} ${path.join("/")}`);

  it("speaks in partitions", () => {
    const desired = { a: live("1", "2"), b: live("2", "3"), c: { ...live("3", "4"), tier: "detached" as const } };
    assert.deepEqual(shown(desired, {}), ["add partitions/a", "add partitions/b"]);
    assert.deepEqual(
      shown(desired, { a: { from: "1", to: "5", tier: "live" }, b: { from: "2", to: "3", tier: "detached" } }),
      ["update partitions/a/to", "update partitions/b/tier"],
    );
    assert.deepEqual(shown(desired, { ...desired, b: { default: true, tier: "detaching" } }), [
      "add partitions/b/from",
      "add partitions/b/to",
      "update partitions/b/tier",
      "delete partitions/b/default",
    ]);
    assert.deepEqual(shown(desired, { ...desired, x: live("7", "8") }), []);
  });

  it("takes given up and absent for the same", () => {
    const gone = { a: { ...live("1", "2"), tier: "dropped" as const } };
    assert.deepEqual(shown(gone, {}), []);
    assert.deepEqual(shown(gone, { a: live("1", "2") }), ["update partitions/a/tier"]);
    assert.deepEqual(shown(gone, { a: { from: "1", to: "2", tier: "detached" } }), ["update partitions/a/tier"]);
    assert.deepEqual(shown(gone, gone), []);
  });

  it("does not care in which order a list was written", () => {
    const list = (values: (string | null)[]) => ({ a: { values, tier: "live" as const } });
    assert.deepEqual(shown(list(["a", null]), list([null, "a"])), []);
    assert.deepEqual(shown(list(["a"]), list(["b"])), ["update partitions/a/values"]);
  });

  it("shows what the policy has retired as deleted", () => {
    const retired: DesiredSet["retired"] = {
      from: "2026-01-01",
      before: "2026-03-01",
      periods: [{ grid: { kind: "calendar", type: "date", unit: "month", count: 1, timezone: "UTC" } }],
    };
    const actual = {
      jan: live("2026-01-01", "2026-02-01"),
      feb: live("2026-02-01", "2026-03-01"),
      mar: live("2026-03-01", "2026-04-01"),
      dec: live("2025-12-01", "2026-01-01"),
      half: live("2026-01-01", "2026-01-15"),
      gone: { ...live("2026-01-01", "2026-02-01"), tier: "dropped" as const },
    };
    assert.deepEqual(shown({ kept: live("2026-02-01", "2026-03-01") }, actual, retired), [
      "add partitions/kept",
      "delete partitions/jan",
    ]);
    assert.deepEqual(shown({}, actual), []);
  });
});

describe("actualFromState", () => {
  const { desired, checked } = expand(monthly({ window: { from: "2026-10", ahead: 0 }, defaultPartition: true }));
  assert(desired);
  const outputs = {
    ...checked,
    identity: { parentOid: 7 },
    oids: { events_2026_10: 10, events_2026_11: 11, events_default: 12 },
  };

  it("gives back what was recorded, so that nothing is to be done", () => {
    const actual = actualFromState(outputs);
    assert.equal(actual.source, "state");
    assert.deepEqual(actual.parent, {
      schema: "public",
      name: "events",
      oid: 7,
      strategy: "range",
      keyColumns: ["at"],
      keyTypes: ["date"],
      defaultPartition: { schema: "public", name: "events_default", oid: 12, bytes: 0 },
      references: [],
      referencedBy: [],
    });
    assert.deepEqual(plan(desired, actual, outputs.oids), {
      steps: [],
      findings: [],
      unchanged: ["events_2026_10", "events_2026_11", "events_default"],
    });
  });

  it("knows detached and half detached ones, and nothing of what has no OID or is dropped", () => {
    const partitions = {
      a: { from: "2026-01-01", to: "2026-02-01", tier: "detached" },
      b: { from: "2026-02-01", to: "2026-03-01", tier: "detaching" },
      c: { from: "2026-03-01", to: "2026-04-01", tier: "dropped" },
      d: { from: "2026-04-01", to: "2026-05-01", tier: "live" },
      e: { tier: "live" },
    };
    const actual = actualFromState({ ...outputs, partitions, oids: { a: 1, b: 2, c: 3, e: 5 } });
    assert.deepEqual(
      actual.detached.map(({ name, state }) => [name, state]),
      [["a", "detached"]],
    );
    assert.deepEqual(
      actual.children.map(({ name, state }) => [name, state]),
      [["b", "pending"]],
    );
  });

  it("knows what is archived on each level, and the copies of tables that are there", () => {
    const copy = (name: string, oid: number, more: object = {}) => ({
      schema: "public",
      name,
      oid,
      bound: { from: "2026-01-01", to: "2026-02-01" },
      manifest: { key: `${name}/manifest.json` },
      rows: 5,
      bytes: 100,
      ...more,
    });
    const archives = { a: copy("a", 1), b: copy("b", 2), d: copy("d", 99), below: copy("below", 8, { under: "c" }) };
    const actual = actualFromState({
      ...outputs,
      archives,
      partitions: {
        a: { from: "2026-01-01", to: "2026-02-01", tier: "archived" },
        b: { from: "2026-02-01", to: "2026-03-01", tier: "exported" },
        c: {
          from: "2026-03-01",
          to: "2026-04-01",
          tier: "live",
          partitionBy: { list: { column: "r" } },
          partitions: { below: { values: ["x"], tier: "missing" } },
        },
        d: { from: "2026-04-01", to: "2026-05-01", tier: "live" },
      },
      oids: { b: 2, c: 3, d: 4 },
    });
    assert.deepEqual(actual.archived, [archives.a]);
    assert.deepEqual(
      actual.children.map(({ name, copy: of, level }) => [name, of?.name, level?.archived?.map((one) => one.name)]),
      [
        ["b", "b", undefined],
        ["c", undefined, ["below"]],
        ["d", undefined, undefined],
      ],
    );
  });

  it("has no parent before the first up", () => {
    assert.deepEqual(actualFromState(checked), { source: "state", children: [], detached: [], strangers: [] });
    assert.deepEqual(actualFromState({}), { source: "state", children: [], detached: [], strangers: [] });
  });

  it("reads lists and hashes too", () => {
    const key = (partitionBy: unknown) => {
      const { parent } = actualFromState({ schema: "s", table: "t", partitionBy, identity: { parentOid: 1 } });
      return [parent?.strategy, parent?.keyColumns, parent?.keyTypes];
    };
    assert.deepEqual(key({ list: { column: "r", type: "text" } }), ["list", ["r"], ["text"]]);
    assert.deepEqual(key({ hash: { columns: ["a", "b"] } }), ["hash", ["a", "b"], []]);
  });
});
