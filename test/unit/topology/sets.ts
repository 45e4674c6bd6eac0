/** Declared sets and worlds in few words, for tests of the plan. */
import assert from "node:assert/strict";
import type { DesiredSet, PartitionBound, Tier } from "../../../topology/model";
import type { Plan } from "../../../topology/steps";
import { World } from "./world";

export type Spec = Record<string, [string, string, Tier?] | "default">;

export function desiredOf(spec: Spec, more: Partial<DesiredSet> = {}): DesiredSet {
  return {
    schema: "app",
    table: "t",
    strategy: "range",
    keyColumns: ["n"],
    keyType: "integer",
    keyTypes: ["integer"],
    partitions: Object.fromEntries(
      Object.entries(spec).map(([name, bound]) => [
        name,
        bound === "default"
          ? { default: true, tier: "live" }
          : { from: bound[0], to: bound[1], tier: bound[2] ?? "live" },
      ]),
    ),
    unmanaged: "report",
    adopt: [],
    ...more,
  };
}

export const span = (from: string, to: string): PartitionBound => ({ from, to });

/** A world in which everything of `spec` is attached and remembered. */
export function worldOf(desired: DesiredSet, spec: Spec): World {
  const world = new World(desired);
  for (const [name, bound] of Object.entries(spec))
    world.add(name, bound === "default" ? { default: true } : span(bound[0], bound[1]));
  world.remember();
  return world;
}

export const ids = ({ steps }: Plan) => steps.map(({ id, method }) => `${id} ${method}`);
export const reasons = ({ findings }: Plan) =>
  findings.map(({ severity, path, reason }) => `${severity} ${path}: ${reason}`);

/** Plans, carries out, and sees that nothing is left to do. */
export function settle(desired: DesiredSet, world: World): Plan {
  const first = world.up(desired);
  assert.deepEqual(ids(world.plan(desired)), []);
  return first;
}

export const AB: Spec = { a: ["0", "10"], b: ["10", "20"] };
