/** A declared set on a real server, without provider and engine: expand, read, plan, carry out, and remember. */

import assert from "node:assert/strict";
import { readSet } from "../../postgres/catalog";
import type { Sessions } from "../../postgres/connection";
import { execute } from "../../postgres/executor";
import type { CatalogSet } from "../../postgres/parent";
import { difference } from "../../topology/difference";
import { placesOf } from "../../topology/level";
import type { DesiredSet, KnownOids, PartitionBound } from "../../topology/model";
import { plan } from "../../topology/plan";
import { expand } from "../../topology/policy";
import type { Plan } from "../../topology/steps";

export class LiveSet {
  private checked: Record<string, unknown> = {};
  private known: KnownOids = {};
  private bounds: Record<string, PartitionBound> = {};

  constructor(private readonly sessions: Sessions) {}

  /** Brings the table to what the inputs declare; nothing may be refused, and nothing may be left to do after it. */
  async up(raw: Record<string, unknown>): Promise<{ desired: DesiredSet; plan: Plan }> {
    const { desired, checked, failures } = expand(raw, this.checked);
    assert.deepEqual(failures, []);
    assert(desired);
    const actual = await this.read(desired);
    const made = plan(desired, actual, this.known);
    assert.deepEqual(made.findings, []);
    assert(actual.parent);
    const report = await execute(made, { sessions: this.sessions, parent: actual.parent });
    assert.deepEqual([report.failed, report.skipped], [[], []]);
    this.checked = checked;
    await this.seeThatNothingIsLeft(desired);
    return { desired, plan: made };
  }

  private async seeThatNothingIsLeft(desired: DesiredSet): Promise<void> {
    const after = await this.read(desired);
    for (const { name, oid, bound } of [...after.children, ...after.detached]) {
      this.known[name] = oid;
      this.bounds[name] = bound;
    }
    const second = plan(desired, after, this.known);
    assert.deepEqual([second.steps, second.findings], [[], []], "the second plan is empty");
    const recorded = Object.fromEntries(after.children.map(({ name, bound }) => [name, { ...bound, tier: "live" }]));
    const detached = Object.fromEntries(
      after.detached.map(({ name, bound }) => [name, { ...bound, tier: "detached" }]),
    );
    assert.deepEqual(difference(desired.partitions, { ...recorded, ...detached }, desired), [], "no drift");
  }

  private read({ schema, table, partitions }: DesiredSet): Promise<CatalogSet> {
    const request = { schema, table, names: [...placesOf(partitions, schema)], known: this.known, bounds: this.bounds };
    return this.sessions.withSession((session) => readSet(session, request));
  }
}
