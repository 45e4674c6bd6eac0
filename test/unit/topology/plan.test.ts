import assert from "node:assert/strict";
import type { ActualSet, DesiredSet, KnownOids, Tier } from "../../../topology/model";
import { plan } from "../../../topology/plan";
import { AB, desiredOf, ids, reasons, type Spec, settle, span, worldOf } from "./sets";
import { World } from "./world";

describe("plan", () => {
  it("creates everything when the parent does not exist, and says so", () => {
    const actual: ActualSet = { source: "catalog", children: [], detached: [], strangers: [] };
    const made = plan(
      desiredOf({ rest: "default", b: ["10", "20"], a: ["0", "10"], old: ["-10", "0", "dropped"] }),
      actual,
      {},
    );
    assert.deepEqual(ids(made), ["create:a partitionOf", "create:b partitionOf", "create:rest partitionOf"]);
    assert.deepEqual(new Set(made.steps.map(({ transaction }) => transaction)), new Set([1]));
    assert.deepEqual(reasons(made), ["info table: app.t does not exist yet; its partitions are created after it."]);
    assert.deepEqual(made.unchanged, ["old"]);
  });

  it("has nothing to do when everything is as declared", () => {
    const desired = desiredOf({ ...AB, rest: "default" });
    const made = worldOf(desired, { ...AB, rest: "default" }).plan(desired);
    assert.deepEqual(made, { steps: [], findings: [], unchanged: ["a", "b", "rest"] });
  });

  it("refuses a parent that is partitioned in another way", () => {
    const actual = (parent: Partial<ActualSet["parent"]>) => {
      const world = new World(desiredOf(AB), parent);
      const made = plan(desiredOf(AB), world.actual(), {});
      assert.equal(made.steps.length, made.findings.length === 0 ? 2 : 0);
      return reasons(made);
    };
    assert.match(
      actual({ strategy: "list" })[0]!,
      /^error partitionBy: app\.t is partitioned by LIST, but RANGE is declared\./,
    );
    assert.match(actual({ keyColumns: ["m"] })[0]!, /by key m, but key n is declared/);
    assert.match(actual({ keyColumns: [null] })[0]!, /by key \(expression\), but key n/);
    assert.match(
      actual({ keyTypes: ["timestamp with time zone"] })[0]!,
      /by type timestamp with time zone, but type integer/,
    );
    assert.deepEqual(actual({ keyTypes: ["integer"] }), []);
    assert.equal(actual({ strategy: "hash", keyColumns: ["x"], keyTypes: ["text"] }).length, 3);
  });

  describe("of live partitions", () => {
    it("creates what is missing in the order of bounds, DEFAULT last", () => {
      const desired = desiredOf({ rest: "default", c: ["20", "30"], b: ["10", "20"], a: ["0", "10"] });
      const world = worldOf(desired, { b: ["10", "20"] });
      const made = settle(desired, world);
      assert.deepEqual(ids(made), ["create:a likeAttach", "create:c likeAttach", "create:rest likeAttach"]);
      assert.deepEqual(
        made.steps.map(({ transaction }) => transaction),
        [1, 1, 2],
      );
      assert.deepEqual(made.unchanged, ["b"]);
    });

    it("makes a bound right in one transaction, and then what the wrong one was in the way of", () => {
      const desired = desiredOf(AB);
      const world = worldOf(desired, { a: ["0", "15"] });
      const made = settle(desired, world);
      assert.deepEqual(ids(made), ["rebound:a detachAttach", "create:b likeAttach"]);
      assert.deepEqual(made.steps[1]?.after, ["rebound:a"]);
      assert.match(made.steps[0]!.reason, /its bound is 0 … 15 instead/);
    });

    it("renames a known partition back, from another schema too", () => {
      const desired = desiredOf(AB);
      const world = worldOf(desired, AB);
      Object.assign(world.find("a")!, { name: "z" });
      Object.assign(world.find("b")!, { schema: "elsewhere" });
      const made = settle(desired, world);
      assert.deepEqual(ids(made), ["rename:a rename", "rename:b rename"]);
      assert.deepEqual(made.steps[1]?.current, { schema: "elsewhere", name: "b" });
      assert.deepEqual(made.findings, []);
    });

    it("moves a partition to the schema that is declared, and asks where one is to be that nobody declared", () => {
      const world = worldOf(desiredOf(AB), {});
      world.add("a", span("0", "10"), "parts");
      const unsaid = desiredOf(AB);
      assert.deepEqual(reasons(world.plan(unsaid)), [
        'error partitions.a: 0 … 10 is held by parts.a, in another schema than app.t. Say where it is to be: partitionSchema: "parts", ' +
          'or schema in its entry of partitions, leaves it there; "app" moves it.',
      ]);
      const said = desiredOf(AB, { partitionSchema: "parts" });
      const placed = (schema: string) => ({
        ...said,
        partitions: Object.fromEntries(
          Object.entries(said.partitions).map(([name, one]) => [name, { ...one, schema }]),
        ),
      });
      assert.deepEqual(ids(settle(placed("parts"), world)), ["create:b likeAttach"]);
      assert.equal(world.find("b", "parts")?.bound !== undefined, true);
      assert.deepEqual(ids(settle(placed("app"), world)), ["rename:a rename", "rename:b rename"]);
    });

    it("lets partitions change names, each in its own schema", () => {
      const world = worldOf(desiredOf(AB), {});
      world.add("a", span("10", "20"), "parts");
      world.add("b", span("0", "10"), "parts");
      world.known = { a: world.find("b", "parts")!.oid, b: world.find("a", "parts")!.oid };
      const { partitions } = desiredOf(AB);
      const desired = desiredOf(AB, {
        partitions: Object.fromEntries(
          Object.entries(partitions).map(([name, one]) => [name, { ...one, schema: "parts" }]),
        ),
      });
      const { steps } = world.up(desired);
      assert.deepEqual([...new Set(steps.map(({ schema }) => schema))], ["parts"]);
      assert.deepEqual(ids(world.plan(desired)), []);
    });

    it("creates a partition under a name that a renamed one gives back", () => {
      const desired = desiredOf({ ...AB, c: ["20", "30"] });
      const world = worldOf(desired, AB);
      Object.assign(world.find("a")!, { name: "c" });
      const made = settle(desired, world);
      assert.deepEqual(ids(made), ["rename:a rename", "create:c likeAttach"]);
      assert.deepEqual(made.steps[1]?.after, ["rename:a"]);
    });

    it("refuses renames onto a name that is taken", () => {
      const desired = desiredOf(AB);
      const world = worldOf(desired, AB);
      Object.assign(world.find("a")!, { name: "z" });
      world.add("a");
      const made = plan(desired, world.actual(), world.known);
      assert.deepEqual(ids(made), []);
      assert.match(
        reasons(made)[0]!,
        /^error partitions\.a: app\.z is the partition a, but app\.a stands in the place of its name/,
      );
    });

    it("does not touch a partition of the right bound under an unknown name, and offers both ways", () => {
      const desired = desiredOf(AB);
      const world = worldOf(desired, { handmade: ["0", "10"], b: ["10", "20"] });
      const made = plan(desired, world.actual(), world.known);
      assert.deepEqual(ids(made), []);
      assert.deepEqual(reasons(made), [
        "error partitions.a: 0 … 10 is held by app.handmade, not by a. Choose a naming template that gives this name, " +
          'or list partitions: {"handmade": …} with the same bound.',
      ]);
    });

    it("gives a known partition that was renamed and re-bounded both back", () => {
      const desired = desiredOf(AB);
      const world = worldOf(desired, AB);
      const a = world.find("a")!;
      world.detach(a);
      world.attach(a, span("0", "5"));
      a.name = "z";
      const made = settle(desired, world);
      assert.deepEqual(ids(made), ["rename:a rename", "rebound:a detachAttach"]);
      assert.deepEqual(made.steps[1]?.after, ["rename:a"]);
    });

    it("renames partitions to one another's names through a name in between", () => {
      const desired = desiredOf({ ...AB, c: ["20", "30"], d: ["30", "40"] });
      const world = worldOf(desired, { ...AB, c: ["20", "30"], d: ["30", "40"] });
      const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => world.find(name)!);
      Object.assign(a!, { name: "b" });
      Object.assign(b!, { name: "c" });
      Object.assign(c!, { name: "a" });
      Object.assign(d!, { name: "e" });
      const aside = `pgpartition_rename_${a!.oid}`;
      const made = settle(desired, world);
      assert.deepEqual(ids(made), [
        `rename:${aside} rename`,
        "rename:b rename",
        "rename:c rename",
        "rename:a rename",
        "rename:d rename",
      ]);
      assert.deepEqual(made.findings, []);
    });

    it("attaches what was detached by hand, under another name too", () => {
      const desired = desiredOf(AB);
      const world = worldOf(desired, AB);
      world.detach(world.find("a")!);
      world.detach(world.find("b")!);
      world.find("b")!.name = "z";
      const made = settle(desired, world);
      assert.deepEqual(ids(made), ["rename:b rename", "attach:a attach", "attach:b attach"]);
      assert.deepEqual(made.steps[1]?.effect, { data: "shows", rows: 1000, bytes: 8192 });
      assert.deepEqual(made.steps[2]?.after, ["rename:b"]);
    });

    it("creates again what was dropped outside, with a warning", () => {
      const desired = desiredOf(AB);
      const world = worldOf(desired, AB);
      world.detach(world.find("a")!);
      world.drop(world.find("a")!);
      const made = settle(desired, world);
      assert.deepEqual(ids(made), ["create:a likeAttach"]);
      assert.match(reasons(made)[0]!, /^warning partitions\.a: a was dropped outside; its rows are gone/);
    });

    it("finishes an interrupted detach and attaches again", () => {
      const desired = desiredOf(AB);
      const world = worldOf(desired, AB);
      world.find("a")!.pending = true;
      const made = settle(desired, world);
      assert.deepEqual(ids(made), ["finalizeDetach:a finalize", "attach:a attach"]);
      assert.deepEqual(made.steps[1]?.after, ["finalizeDetach:a"]);
      assert.equal(made.steps[1]?.effect.data, "shows");
    });

    it("does not attach a stranger unless it is adopted and fits", () => {
      const desired = desiredOf(AB);
      const world = worldOf(desired, { b: ["10", "20"] });
      world.add("a");
      const made = plan(desired, world.actual(), world.known);
      assert.deepEqual(ids(made), []);
      assert.match(
        reasons(made)[0]!,
        /app\.a exists already and is not known .*\(a table, about 5 rows, 8192 bytes; its shape fits\).* list a in adopt/,
      );
      const adopting = desiredOf(AB, { adopt: ["a"] });
      const misfit = world.actual();
      misfit.strangers[0]!.misfits = ["column n is missing"];
      misfit.strangers[0]!.partitionOf = { schema: "app", name: "other" };
      misfit.strangers[0]!.rows = -1;
      misfit.strangers[0]!.relkind = "v";
      assert.match(
        reasons(plan(adopting, misfit, world.known))[0]!,
        /\(a view, never analysed, 8192 bytes; it does not fit: column n is missing; it is a partition of app\.other\)\. Make it fit/,
      );
      assert.deepEqual(ids(settle(adopting, world)), ["attach:a attach"]);
    });
  });

  describe("of tiers", () => {
    const tiers = (a: Tier, b: Tier = "live", more: Partial<DesiredSet> = {}) =>
      desiredOf({ a: ["0", "10", a], b: ["10", "20", b] }, more);

    it("detaches, once", () => {
      const world = worldOf(tiers("live"), AB);
      const made = settle(tiers("detached"), world);
      assert.deepEqual(ids(made), ["detach:a detachConcurrently"]);
      assert.deepEqual(made.steps[0]?.effect, { data: "hides", rows: 1000, bytes: 8192 });
      assert.deepEqual(made.steps[0]?.reason, "declared as detached");
      assert.deepEqual(plan(tiers("detached"), world.actual(), world.known).unchanged, ["a", "b"]);
    });

    it("brings a detached partition back to live", () => {
      const world = worldOf(tiers("live"), AB);
      settle(tiers("detached"), world);
      assert.deepEqual(ids(settle(tiers("live"), world)), ["attach:a attach"]);
    });

    it("detaches before it drops, and drops what is detached already", () => {
      const world = worldOf(tiers("live"), AB);
      world.detach(world.find("b")!);
      const reason = { tierReasons: { a: "after 6 months: dropped" } };
      const made = settle(tiers("dropped", "dropped", reason), world);
      assert.deepEqual(ids(made), ["detach:a detachConcurrently", "drop:a dropTable", "drop:b dropTable"]);
      assert.deepEqual(made.steps[1]?.after, ["detach:a"]);
      assert.deepEqual(made.steps[1]?.effect, { data: "deletes", rows: 1000, bytes: 8192 });
      assert.equal(made.steps[0]?.reason, "after 6 months: dropped");
      assert.deepEqual(world.relations, []);
    });

    it("never drops a table that it does not know", () => {
      const world = worldOf(tiers("live"), { b: ["10", "20"] });
      world.add("a");
      const made = plan(tiers("dropped"), world.actual(), world.known);
      assert.deepEqual(ids(made), []);
      assert.match(reasons(made)[0]!, /^warning partitions\.a: app\.a has the name of a partition that is given up/);
    });

    it("asks the state even about what the catalog calls detached", () => {
      const world = worldOf(tiers("live"), AB);
      world.detach(world.find("a")!);
      const actual = world.actual();
      assert.deepEqual(ids(plan(tiers("dropped"), actual, {})), []);
      assert.deepEqual(ids(plan(tiers("dropped"), actual, world.known)), ["drop:a dropTable"]);
    });

    it("never gives up rows of another range than the declared one", () => {
      const world = worldOf(tiers("live"), { a: ["0", "12"] });
      for (const tier of ["detached", "dropped"] as const) {
        const made = plan(desiredOf({ a: ["0", "10", tier] }), world.actual(), world.known);
        assert.deepEqual(ids(made), []);
        assert.match(
          reasons(made)[0]!,
          new RegExp(`^error partitions\\.a: app\\.a holds 0 … 12, but 0 … 10 is to be ${tier}`),
        );
      }
    });

    it("finishes interrupted detaches first, whatever the tier", () => {
      const world = worldOf(tiers("live"), AB);
      world.find("a")!.pending = true;
      const made = settle(tiers("dropped", "detached"), world);
      assert.deepEqual(ids(made), ["finalizeDetach:a finalize", "detach:b detachConcurrently", "drop:a dropTable"]);
      assert.deepEqual(made.steps[1]?.after, ["finalizeDetach:a"]);
      assert.deepEqual(made.steps[2]?.after, ["finalizeDetach:a"]);
      const other = worldOf(tiers("live"), AB);
      other.find("a")!.pending = true;
      assert.deepEqual(ids(settle(tiers("detached"), other)), ["finalizeDetach:a finalize"]);
    });

    it("makes room before it creates", () => {
      const split = desiredOf({ a: ["0", "10", "detached"], low: ["0", "5"], high: ["5", "10"] });
      const world = worldOf(split, { a: ["0", "10"] });
      const made = settle(split, world);
      assert.deepEqual(ids(made), ["detach:a detachPlain", "create:low likeAttach", "create:high likeAttach"]);
      assert.deepEqual(made.steps[1]?.after, ["detach:a"]);
      const wider = desiredOf({ a: ["0", "10", "detached"], b: ["5", "20"] });
      assert.deepEqual(ids(settle(wider, worldOf(wider, AB))), ["detach:a detachPlain", "rebound:b detachAttach"]);
    });
  });

  it("does not change when maps are listed in another order", () => {
    const known: KnownOids = {};
    const there: Spec = { b: ["10", "20"], x: ["90", "95"] };
    const forward = desiredOf({ a: ["0", "10"], b: ["10", "20"], c: ["20", "30"] });
    const backward = desiredOf({ c: ["20", "30"], b: ["10", "20"], a: ["0", "10"] });
    const one = plan(forward, worldOf(forward, there).actual(), known);
    assert.deepEqual(plan(backward, worldOf(backward, there).actual(), known).steps, one.steps);
    assert.deepEqual(plan(forward, worldOf(forward, there).actual(), known), one);
  });
});
