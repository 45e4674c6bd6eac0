import assert from "node:assert/strict";
import type { DesiredSet } from "../../../topology/model";
import { ATTACH_BATCH, FRESH_BATCH, GUARD_DEFAULT_BYTES, plan } from "../../../topology/plan";
import type { Plan } from "../../../topology/steps";
import { AB, desiredOf, ids, reasons, type Spec, settle, span, worldOf } from "./sets";
import { World } from "./world";

describe("plan", () => {
  describe("of retired periods", () => {
    const retired: DesiredSet["retired"] = {
      from: "0",
      before: "30",
      periods: [{ grid: { kind: "numeric", type: "integer", step: "10", offset: "0" } }],
    };

    it("drops what is attached or known, in the range and on the grid, and nothing else", () => {
      const desired = desiredOf({ c: ["20", "30"], d: ["30", "40"] }, { retired, unmanaged: "ignore" });
      const world = worldOf(desired, {
        early: ["-10", "0"],
        a: ["0", "10"],
        half: ["10", "15"],
        pinned: ["20", "30"],
        d: ["30", "40"],
      });
      world.detach(world.find("a")!);
      world.add("b", span("15", "20"));
      world.known.b = 0;
      const made = plan(desired, world.actual(), world.known);
      assert.deepEqual(ids(made), ["drop:a dropTable"]);
      assert.equal(made.steps[0]?.reason, "older than the policy keeps (before 30)");
    });

    it("leaves alone what a declared partition has become", () => {
      const desired = desiredOf({ a: ["0", "10", "dropped"] }, { retired });
      const world = worldOf(desired, { a: ["10", "20"] });
      world.find("a")!.name = "z";
      const made = plan(desired, world.actual(), world.known);
      assert.deepEqual(ids(made), []);
      assert.match(reasons(made)[0]!, /^error partitions\.a: app\.z holds 10 … 20, but 0 … 10 is to be dropped/);
    });

    it("detaches first, and finishes a pending detach", () => {
      const desired = desiredOf({ d: ["30", "40"] }, { retired });
      const world = worldOf(desired, { a: ["0", "10"], b: ["10", "20"], d: ["30", "40"] });
      world.find("a")!.pending = true;
      const made = settle(desired, world);
      assert.deepEqual(ids(made), [
        "finalizeDetach:a finalize",
        "detach:b detachConcurrently",
        "drop:a dropTable",
        "drop:b dropTable",
      ]);
      assert.deepEqual(made.findings, []);
      assert.deepEqual(world.attached(), ["d"]);
    });
  });

  describe("of unmanaged children", () => {
    const many: Spec = Object.fromEntries(
      Array.from({ length: 25 }, (_, n) => [`x${n}`, [String(100 + n), String(101 + n)]]),
    );

    it("reports each, up to twenty, and goes on", () => {
      const desired = desiredOf(AB);
      const made = plan(desired, worldOf(desired, many).actual(), {});
      assert.equal(made.findings.length, 21);
      assert.match(
        reasons(made)[0]!,
        /^warning partitions\.x0: app\.x0 \(100 … 101\) is attached to app\.t and is not declared/,
      );
      assert.match(reasons(made)[20]!, /^warning partitions: 5 more partitions are not declared/);
      assert.equal(made.steps.length, 2);
    });

    it("ignores or refuses them when told so", () => {
      const ignoring = desiredOf(AB, { unmanaged: "ignore" });
      const ignored = plan(ignoring, worldOf(ignoring, { x: ["100", "200"] }).actual(), {});
      assert.deepEqual([ignored.findings, ignored.steps.length], [[], 2]);
      const refusing = desiredOf(AB, { unmanaged: "refuse" });
      const refused = plan(refusing, worldOf(refusing, { x: ["100", "200"], a: ["0", "10"] }).actual(), {});
      assert.deepEqual(refused.steps, []);
      assert.deepEqual(refused.unchanged, ["a"]);
      assert.match(reasons(refused)[0]!, /^error partitions\.x: /);
    });

    it("says when one is half detached, and finishes that", () => {
      const desired = desiredOf(AB);
      const world = worldOf(desired, { ...AB, x: ["100", "200"] });
      world.find("x")!.pending = true;
      const made = settle(desired, world);
      assert.deepEqual(ids(made), ["finalizeDetach:x finalize"]);
      assert.match(reasons(made)[0]!, /^warning partitions\.x: app\.x \(100 … 200\) is half detached from app\.t/);
    });
  });

  describe("chooses", () => {
    const numbered = (count: number): Spec =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`p${n}`, [String(n * 10), String(n * 10 + 10)]]));
    const sizes = ({ steps }: Plan) => {
      const counts = new Map<number, number>();
      for (const { transaction } of steps) counts.set(transaction, (counts.get(transaction) ?? 0) + 1);
      return [...counts.values()];
    };

    it("large transactions for a parent that nobody can be using", () => {
      const desired = desiredOf(numbered(FRESH_BATCH + 20));
      assert.deepEqual(sizes(settle(desired, new World(desired))), [FRESH_BATCH, 20]);
    });

    it("smaller ones for a live parent, and single ones where others would wait", () => {
      const desired = desiredOf({ ...numbered(ATTACH_BATCH + 20), x: ["-10", "0"] });
      assert.deepEqual(sizes(settle(desired, worldOf(desired, { x: ["-10", "0"] }))), [ATTACH_BATCH, 20]);
      const linked = new World(desired, { references: [{ schema: "app", name: "users" }] });
      linked.add("x", span("-10", "0"));
      assert.equal(sizes(plan(desired, linked.actual(), {})).length, ATTACH_BATCH + 20);
      const withDefault = desiredOf({ ...numbered(3), rest: "default" });
      assert.deepEqual(sizes(settle(withDefault, worldOf(withDefault, { rest: "default" }))), [1, 1, 1]);
    });

    it("the plain detach beside a DEFAULT, new or old, and of a table that references itself", () => {
      const method = (spec: Spec, there: Spec, parent: object = {}) => {
        const desired = desiredOf(spec);
        const world = worldOf(desired, there);
        Object.assign(world.parent, parent);
        return plan(desired, world.actual(), world.known).steps.find(({ kind }) => kind === "detach")?.method;
      };
      const leaving: Spec = { a: ["0", "10", "detached"], b: ["10", "20"] };
      assert.equal(method(leaving, AB), "detachConcurrently");
      assert.equal(method({ ...leaving, rest: "default" }, { ...AB, rest: "default" }), "detachPlain");
      assert.equal(method({ ...leaving, rest: "default" }, AB), "detachPlain");
      assert.equal(method(leaving, AB, { itself: [{ schema: "app", name: "x" }] }), "detachPlain");
      assert.equal(method(leaving, AB, { referencedBy: [{ schema: "app", name: "x" }] }), "detachConcurrently");
      assert.equal(method(leaving, AB, { references: [{ schema: "app", name: "x" }] }), "detachConcurrently");
    });

    it("a guard for a large DEFAULT, around everything that is attached", () => {
      const desired = desiredOf({ ...AB, rest: "default" });
      const guarded = (bytes: number) => {
        const world = worldOf(desired, { b: ["10", "20"], rest: "default" });
        const { oid } = world.find("rest")!;
        world.parent.defaultPartition = { schema: "app", name: "rest", oid, bytes };
        return settle(desired, world);
      };
      assert.deepEqual(ids(guarded(GUARD_DEFAULT_BYTES)), ["create:a likeAttach"]);
      const made = guarded(GUARD_DEFAULT_BYTES + 1);
      assert.deepEqual(ids(made), ["guardDefault:rest guard", "create:a likeAttach", "unguardDefault:rest unguard"]);
      assert.deepEqual(made.steps[0]?.excludes, [span("0", "10")]);
      assert.match(made.steps[0]?.reason ?? "", /rows of their ranges are refused \(23514\)/);
      assert.deepEqual(made.steps[1]?.after, ["guardDefault:rest"]);
      assert.deepEqual(made.steps[2]?.after, ["guardDefault:rest"], "even when an attach failed");
    });

    it("a guard for a large DEFAULT, around what gets another bound with what takes over the rest", () => {
      const desired = desiredOf({ a: ["0", "5"], b: ["5", "10"], rest: "default" });
      const world = worldOf(desired, { a: ["0", "10"], rest: "default" });
      const { oid } = world.find("rest")!;
      world.parent.defaultPartition = { schema: "app", name: "rest", oid, bytes: GUARD_DEFAULT_BYTES + 1 };
      const made = settle(desired, world);
      assert.deepEqual(ids(made), [
        "guardDefault:rest guard",
        "rebound:a detachAttach",
        "create:b likeAttach",
        "unguardDefault:rest unguard",
      ]);
      assert.deepEqual(made.steps[0]?.excludes, [span("0", "5"), span("5", "10")]);
      assert.deepEqual(
        made.steps.slice(1, 3).map(({ after, transaction }) => [after.includes("guardDefault:rest"), transaction]),
        [
          [true, 2],
          [true, 2],
        ],
      );
    });
  });
});
