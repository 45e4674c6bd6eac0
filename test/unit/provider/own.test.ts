/** What a set records, and may drop, when others have partitions on its parent. */
import assert from "node:assert/strict";
import { ownPart } from "../../../provider/partitionSet/own";
import type { ActualPartition, ActualSet } from "../../../topology/model";

const child = (name: string, oid: number, schema = "public"): ActualPartition => ({
  schema,
  name,
  oid,
  bound: { values: [name] },
  state: "live",
  relkind: "r",
});

const actual: ActualSet = {
  source: "catalog",
  children: [child("mine", 1), child("theirs", 2), child("former", 3), child("mine", 4, "other")],
  detached: [{ ...child("kept", 5), state: "detached" }],
  strangers: [],
};

const names = ({ children, detached }: ActualSet) =>
  [...children, ...detached].map(({ schema, name }) => `${schema}.${name}`);

describe("partitions of a set's own", () => {
  const desired = { schema: "public", partitions: { mine: { values: ["mine"], tier: "live" as const } } };

  it("are the declared and the known ones where others are ignored", () => {
    const own = ownPart({ ...desired, unmanaged: "ignore" }, actual, { former: 3, kept: 5 });
    assert.deepEqual(names(own), ["public.mine", "public.former", "public.kept"]);
  });

  it("are all where they are reported", () => {
    assert.equal(ownPart({ ...desired, unmanaged: "report" }, actual, {}), actual);
  });
});
