import assert from "node:assert/strict";
import type { DesiredSet, PartitionBound } from "../../../topology/model";
import { MOVE_AT_ONCE_BYTES } from "../../../topology/reorganization";
import { AB, desiredOf, ids, reasons, type Spec, settle, worldOf } from "./sets";
import { World } from "./world";

/** A world with a row for each of the keys. */
function filled(desired: DesiredSet, spec: Spec, keys: (number | string)[]): World {
  const world = worldOf(desired, spec);
  for (const key of keys) assert(world.insert(String(key)), `${key} has a place`);
  return world;
}

/** The step's sources and targets in few words: `a,b > c,d`. */
function moves(made: ReturnType<World["plan"]>): string[] {
  return made.steps.flatMap(({ reorganization: it }) =>
    it === undefined
      ? []
      : [`${it.sources.map(({ name }) => name).join()} > ${it.targets.map(({ name }) => name).join()}`],
  );
}

const hash = (modulus: number): DesiredSet =>
  desiredOf(
    {},
    {
      strategy: "hash",
      partitions: Object.fromEntries(
        Array.from({ length: modulus }, (_, remainder) => [`p${remainder}`, { modulus, remainder, tier: "live" }]),
      ),
    },
  );

const lists = (values: Record<string, string[] | "default">): DesiredSet =>
  desiredOf(
    {},
    {
      strategy: "list",
      keyTypes: ["text"],
      partitions: Object.fromEntries(
        Object.entries(values).map(([name, some]) => [
          name,
          some === "default" ? { default: true, tier: "live" } : { values: some, tier: "live" },
        ]),
      ),
    },
  );

/** A world with the partitions of another declaration, and rows. */
function worldLike(there: DesiredSet, desired: DesiredSet, keys: string[]): World {
  const world = new World(desired);
  for (const [name, { tier: _, ...bound }] of Object.entries(there.partitions))
    world.add(name, bound as PartitionBound);
  world.remember();
  for (const key of keys) assert(world.insert(key));
  return world;
}

describe("a plan for bounds that differ from the real ones", () => {
  it("moves rows out of DEFAULT into a partition that gets its name back first, under that name", () => {
    const world = filled(desiredOf({ a: ["0", "10"], rest: "default" }), { a: ["0", "10"], rest: "default" }, [5, 15]);
    world.find("a")!.name = "by hand";
    const wider = desiredOf({ a: ["0", "20"], rest: "default" });
    const made = world.plan(wider);
    assert.deepEqual(ids(made), ["rename:a rename", "reorganize:a moveInOneTransaction"]);
    assert.deepEqual(moves(made), ["a,rest > a,rest"]);
    assert.deepEqual(made.steps[1]!.after, ["rename:a"]);
    settle(wider, world);
    assert.deepEqual([...world.find("a")!.rows].sort(), ["15", "5"]);
  });

  it("splits a partition, and says how large it is and how it is done", () => {
    const desired = desiredOf({ ...AB, c: ["20", "30"] });
    const world = filled(desired, { year: ["0", "30"] }, [1, 12, 25]);
    const made = settle(desired, world);
    assert.deepEqual(ids(made), ["reorganize:a moveInOneTransaction"]);
    assert.deepEqual(moves(made), ["year > a,b,c"]);
    assert.equal(made.steps[0]?.reason, "splits app.year (0 … 30) into 3; small enough for one transaction");
    assert.deepEqual(made.steps[0]?.effect, { data: "moves", rows: 1000, bytes: 3 * 8192 });
    assert.deepEqual(made.findings, []);
    assert.deepEqual([...world.find("b")!.rows], ["12"]);
  });

  it("copies beside the working application what is large, or of unknown size", () => {
    const desired = desiredOf(AB);
    const world = worldOf(desired, { year: ["0", "20"] });
    const actual = world.actual();
    const planned = (found: "some" | "unknown", bytes?: number) =>
      world.plan.call(
        Object.assign(Object.create(world), { answer: () => ({ oid: world.find("year")!.oid, found, bytes }) }),
        desired,
      ).steps[0];
    assert.equal(actual.children.length, 1);
    assert.equal(planned("some", MOVE_AT_ONCE_BYTES)?.method, "moveInOneTransaction");
    const large = planned("some", 100 * 20 * 1024 * 1024);
    assert.equal(large?.method, "copyAndSwap");
    assert.match(large?.reason ?? "", /copied while the application goes on, which takes about 5 min/);
    assert.equal(planned("unknown")?.method, "copyAndSwap");
  });

  it("copies few rows, too, where the set says so, and exchanges tables without rows at once", () => {
    const desired: DesiredSet = { ...desiredOf(AB), reorganize: "copy" };
    const world = worldOf(desired, { year: ["0", "20"] });
    assert.equal(world.plan(desired).steps[0]?.method, "moveInOneTransaction");
    world.find("year")!.rows.add("12");
    assert.equal(world.plan(desired).steps[0]?.method, "copyAndSwap");
  });

  it("merges, and divides anew in components that are as small as can be", () => {
    const merge = desiredOf({ all: ["0", "20"], z: ["20", "30"] });
    assert.deepEqual(moves(settle(merge, filled(merge, { ...AB, z: ["20", "30"] }, [1, 11]))), ["a,b > all"]);
    const weeks = desiredOf({ v: ["0", "7"], w: ["7", "14"], x: ["14", "21"], y: ["21", "30"], z: ["30", "40"] });
    const world = filled(weeks, { m: ["0", "10"], n: ["10", "21"], o: ["21", "40"] }, [1, 8, 12, 22, 39]);
    assert.deepEqual(moves(settle(weeks, world)), ["m,n > v,w,x", "o > y,z"]);
  });

  it("grows and shrinks HASH bucket by bucket, finishes a half-done reshard, and takes moduli that do not fit at once", () => {
    const keys = Array.from({ length: 24 }, (_, n) => String(n));
    const grown = worldLike(hash(2), hash(4), keys);
    assert.deepEqual(moves(settle(hash(4), grown)), ["p0 > p0,p2", "p1 > p1,p3"]);
    assert.deepEqual(moves(settle(hash(2), grown)), ["p0,p2 > p0", "p1,p3 > p1"]);
    const half = worldLike(hash(2), hash(4), keys);
    half.killedAt = "swapped";
    half.apply(half.plan(hash(4)));
    half.killedAt = undefined;
    half.remember();
    assert.deepEqual(moves(half.plan(hash(4))), ["p0 > p0,p2", "p1 > p1,p3"]);
    settle(hash(4), half);
    assert.deepEqual(moves(settle(hash(6), worldLike(hash(4), hash(6), keys))), ["p0,p2,p1,p3 > p0,p1,p2,p3,p4,p5"]);
  });

  it("moves a value of a LIST with its rows, and needs no move for one without rows", () => {
    const desired = lists({ eu: ["de"], us: ["fr", "us"] });
    const world = worldLike(lists({ eu: ["de", "fr"], us: ["us"] }), desired, ["de", "fr", "us"]);
    assert.deepEqual(moves(settle(desired, world)), ["eu,us > eu,us"]);
    const more = lists({ eu: ["de", "ie"], us: ["fr", "us"] });
    assert.deepEqual(ids(settle(more, world)), ["rebound:eu detachAttach"]);
    assert.deepEqual(ids(settle(lists({ eu: ["de"], us: ["fr", "us"], gb: ["ie"] }), world)), [
      "rebound:eu detachAttach",
      "create:gb likeAttach",
    ]);
  });

  it("says what can become of a LIST group that is not declared any more, and does it when it is declared", () => {
    const desired = lists({ eu: ["de"] });
    const world = worldLike(lists({ eu: ["de"], us: ["us"] }), desired, ["de", "us"]);
    const made = world.plan(desired);
    assert.deepEqual(made.steps, []);
    assert.deepEqual(reasons(made), [
      "warning partitions.us: app.us (IN (us)) is attached to app.t and is not declared. Its rows stay. To take it out, " +
        'write partitions: {"us":{"values":["us"],"tier":"detached"}}, or tier "dropped" to give up the rows; to keep them ' +
        'in another partition, add its values to that one. With removed: "detached" (or "dropped") groups that the program ' +
        'leaves out later go that way by themselves. Declare it in partitions, or set unmanaged to "ignore".',
    ]);
    assert.deepEqual(moves(settle(lists({ eu: ["de", "us"] }), world)), ["eu,us > eu"]);
    const other = worldLike(lists({ eu: ["de"], us: ["us"] }), desired, ["us"]);
    const out: DesiredSet = {
      ...desired,
      partitions: { ...desired.partitions, us: { values: ["us"], tier: "detached" } },
    };
    assert.deepEqual(ids(settle(out, other)), ["detach:us detachConcurrently"]);
  });

  it("names rows that no declared partition takes, and moves them into DEFAULT where there is one", () => {
    const desired = lists({ eu: ["de"] });
    const world = worldLike(lists({ eu: ["de", "fr"] }), desired, ["de", "fr"]);
    const refused = world.plan(desired);
    assert.deepEqual(refused.steps, []);
    assert.deepEqual(reasons(refused), [
      "error partitions.eu: app.eu holds rows of IN (fr), which no declared partition takes, and there is no DEFAULT " +
        "partition. Declare partitions for them (by the policy, or one by one in partitions), or set defaultPartition.",
    ]);
    const rest = lists({ eu: ["de"], rest: "default" });
    assert.deepEqual(moves(settle(rest, world)), ["eu > eu,rest"]);
    assert.deepEqual([...world.find("rest")!.rows], ["fr"]);
    const back = lists({ eu: ["de"], fr: ["fr"], rest: "default" });
    const made = settle(back, world);
    assert.deepEqual(moves(made), ["rest > fr,rest"]);
    assert.match(made.steps[0]?.reason ?? "", /^rows of DEFAULT app\.rest belong to it; /);
    assert.deepEqual([...world.find("fr")!.rows], ["fr"]);
  });

  it("makes new partitions of rows in DEFAULT together, beside those that have none there", () => {
    const desired = desiredOf({ ...AB, c: ["20", "30"], rest: "default" });
    const world = filled(desired, { rest: "default" }, [1, 25, 99]);
    const made = settle(desired, world);
    assert.deepEqual(ids(made), ["create:b likeAttach", "reorganize:a moveInOneTransaction"]);
    assert.deepEqual(moves(made), ["rest > a,c,rest"]);
    assert.deepEqual(made.steps[1]?.effect, { data: "moves", rows: 2 });
    assert.deepEqual([...world.find("rest")!.rows], ["99"]);
  });

  it("says that DEFAULT holds rows beyond the last partition, which more partitions would take", () => {
    const desired = desiredOf({ ...AB, rest: "default" });
    const world = filled(desired, { ...AB, rest: "default" }, [-5, 25, 99]);
    const made = world.plan(desired);
    assert.deepEqual(made.steps, []);
    assert.deepEqual(reasons(made), [
      "warning window.ahead: app.rest holds 2 rows from 20 on, which lie beyond the last declared partition. Raise " +
        "window.ahead, or declare partitions for them; they are moved there then.",
    ]);
    const ahead = settle(desiredOf({ ...AB, c: ["20", "100"], rest: "default" }), world);
    assert.deepEqual(moves(ahead), ["rest > c,rest"]);
    assert.deepEqual(ahead.findings, []);
  });

  it("does not attach a table beside rows of DEFAULT that belong to it", () => {
    const desired = desiredOf({ ...AB, rest: "default" });
    const world = filled(desired, { ...AB, rest: "default" }, []);
    world.detach(world.find("a")!);
    assert(world.insert("5"));
    const made = world.plan(desired);
    assert.deepEqual(made.steps, []);
    assert.match(
      reasons(made)[0]!,
      /^error partitions\.a: The DEFAULT partition app\.rest holds rows that belong to a \(0 … 10\)/,
    );
  });

  it("splits before it gives up a part, and shows the detach and drop that follow", () => {
    const desired = desiredOf({ a: ["0", "10", "dropped"], b: ["10", "20", "detached"], c: ["20", "30"] });
    const world = filled(desired, { year: ["0", "30"] }, [1, 11, 21]);
    const made = settle(desired, world);
    assert.deepEqual(ids(made), [
      "reorganize:a moveInOneTransaction",
      "detach:a detachConcurrently",
      "detach:b detachConcurrently",
      "drop:a dropTable",
    ]);
    assert.deepEqual(
      made.steps.map(({ madeBy }) => madeBy),
      [undefined, "reorganize:a", "reorganize:a", "reorganize:a"],
    );
    assert.deepEqual(world.visible(), ["21"]);
    assert.deepEqual([...world.find("b")!.rows], ["11"]);
    assert.equal(world.find("a"), undefined);
  });

  it("takes what the lifecycle has given up out of a larger partition, even when it is not listed any more", () => {
    const retired: DesiredSet["retired"] = {
      from: "0",
      before: "20",
      periods: [{ grid: { kind: "numeric", type: "integer", step: "10", offset: "0" } }],
    };
    const desired = desiredOf({ c: ["20", "30"] }, { retired });
    const world = filled(desired, { year: ["0", "30"] }, [1, 11, 21]);
    const out = `pgpartition_retired_${world.find("year")!.oid}_0`;
    const made = settle(desired, world);
    assert.deepEqual(ids(made), [
      `reorganize:${out} moveInOneTransaction`,
      `detach:${out} detachConcurrently`,
      `drop:${out} dropTable`,
    ]);
    assert.deepEqual(world.visible(), ["21"]);
    const beyond = filled(desired, { year: ["-10", "30"] }, [-1, 21]);
    assert.match(
      reasons(beyond.plan(desired))[0]!,
      /app\.year holds rows of -10 … 20, which no declared partition takes/,
    );
  });

  it("moves nothing when told so, and no rows of foreign tables", () => {
    const never = desiredOf(AB, { reorganize: "refuse" });
    const refused = filled(never, { year: ["0", "20"] }, [1]).plan(never);
    assert.deepEqual(refused.steps, []);
    assert.match(
      reasons(refused)[0]!,
      /^error partitions\.a: app\.year \(0 … 20\) holds rows that .* reorganize is "refuse"/,
    );
    const inDefault = desiredOf({ ...AB, rest: "default" }, { reorganize: "refuse" });
    const made = filled(inDefault, { rest: "default" }, [1]).plan(inDefault);
    assert.deepEqual(ids(made), ["create:b likeAttach"]);
    assert.match(reasons(made)[0]!, /^error partitions\.a: The DEFAULT partition .* Set reorganize to "online"/);
    const desired = desiredOf(AB);
    const world = worldOf(desired, { year: ["0", "20"] });
    const actual = world.actual();
    actual.children[0]!.relkind = "f";
    world.actual = () => actual;
    assert.match(reasons(world.plan(desired))[0]!, /and app\.year is a foreign table: its rows are not moved/);
  });

  it("puts right a DEFAULT that gives rows away and keeps its table", () => {
    const desired = desiredOf({ ...AB, rest: "default" });
    const world = filled(desired, { rest: "default" }, [1, 11, 30]);
    const actual = world.actual();
    actual.children[0]!.differences = [{ attribute: "owner", expected: "alice", found: "bob" }];
    world.actual = () => actual;
    assert.deepEqual(ids(world.plan(desired)), ["reorganize:a moveInOneTransaction", "adjust:rest adjust"]);
  });

  it("leaves what nobody declared alone when that is to be refused", () => {
    const desired = desiredOf(AB, { unmanaged: "refuse" });
    const made = filled(desired, { year: ["0", "20"] }, [1]).plan(desired);
    assert.deepEqual(made.steps, []);
    assert.match(reasons(made)[0]!, /^error partitions\.year: app\.year .* is not declared/);
  });

  it("does not take the place of a table that bears the name of a target", () => {
    const desired = desiredOf(AB);
    const world = filled(desired, { year: ["0", "20"] }, [1]);
    world.add("b");
    const made = world.plan(desired);
    assert.deepEqual(made.steps, []);
    assert.match(
      reasons(made)[0]!,
      /^error partitions\.b: b is to take over rows of other tables, but app\.b stands in its place/,
    );
  });

  describe("with an interrupted reorganization", () => {
    const desired = desiredOf(AB);
    const interrupted = (at: "copying" | "swapped") => {
      const world = filled(desired, { year: ["0", "20"] }, [1, 11]);
      world.killedAt = at;
      world.apply(world.plan(desired));
      world.killedAt = undefined;
      return world;
    };

    it("goes on with the one that is wanted", () => {
      const made = settle(desired, interrupted("copying"));
      assert.deepEqual(ids(made), ["reorganize:a copyAndSwap"]);
      assert.match(made.steps[0]!.reason, /goes on with the copy that an interrupted run has begun$/);
    });

    it("gives up another one first", () => {
      const world = interrupted("copying");
      const staging = world.unfinished[0]!.staging.name;
      const other = desiredOf({ a: ["0", "5"], b: ["5", "20"] });
      const made = settle(other, world);
      assert.deepEqual(ids(made), [`abandonReorganization:${staging} abandon`, "reorganize:a moveInOneTransaction"]);
      assert.deepEqual(made.steps[1]?.after, [made.steps[0]?.id]);
      const none = interrupted("copying");
      assert.equal(ids(settle(desiredOf({ year: ["0", "20"] }), none)).length, 1);
    });

    it("finishes one whose tables are exchanged, whatever is declared now", () => {
      const world = interrupted("swapped");
      const made = settle(desiredOf({ ...AB, c: ["20", "30"] }), world);
      assert.equal(made.steps[0]?.kind, "reorganize");
      assert.deepEqual(
        made.steps.slice(1).map(({ id }) => id),
        ["create:c"],
      );
      assert.deepEqual(world.visible(), ["1", "11"]);
      assert.equal(world.relations.length, 3);
    });

    it("does not take the copy's tables for strangers", () => {
      const world = interrupted("copying");
      const { staging } = world.unfinished[0]!;
      const actual = world.actual();
      const stranger = { oid: 999, schema: "app", name: "a", relkind: "r", rows: 0, bytes: 0, misfits: [] };
      const partitionOf = { schema: staging.schema, name: staging.name };
      world.actual = () => ({ ...actual, strangers: [{ ...stranger, partitionOf }] });
      assert.deepEqual(ids(world.plan(desired)), ["reorganize:a copyAndSwap"]);
    });
  });
});

describe("a table that comes back", () => {
  it("is not attached with rows that belong elsewhere by now, nor does another table take their place", () => {
    const there = lists({ a: ["x", "y"], b: ["z"] });
    const desired = lists({ a: ["x"], b: ["z"], c: ["y"], d: ["w"] });
    const world = worldLike(there, desired, ["x", "y"]);
    world.detach(world.find("a")!);
    const made = world.plan(desired);
    assert.deepEqual(ids(made), ["create:d likeAttach"]);
    assert.deepEqual(
      reasons(made).map((reason) => reason.replace(/\. .*/s, "")),
      ["a", "c"].map(
        (name) =>
          `error partitions.${name}: app.a is detached and holds rows of IN (y), which a is no longer declared for`,
      ),
    );
    assert.deepEqual(ids(settle(there, world)), ["attach:a attach"], "its former bound brings it back");
    settle(desired, world);
    assert.deepEqual(world.visible(), ["x", "y"]);
  });

  it("is attached with a smaller bound when all of its rows belong there", () => {
    const desired = lists({ a: ["x"], c: ["y"] });
    const world = worldLike(lists({ a: ["x", "y"] }), desired, ["x"]);
    world.detach(world.find("a")!);
    settle(desired, world);
    assert.deepEqual(world.attached(), ["a", "c"]);
  });
});
