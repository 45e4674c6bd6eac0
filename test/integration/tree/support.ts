/** A set as the provider runs it, without the engine: Check, read, plan, execute, record. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Archiver } from "../../../postgres/archive/archiver";
import type { Sessions } from "../../../postgres/connection";
import { execute } from "../../../postgres/executor";
import { decide } from "../../../provider/partitionSet/decide";
import { diffSet } from "../../../provider/partitionSet/diff";
import { observe } from "../../../provider/partitionSet/observe";
import { outputsFromActual, outputsFromPlan, withNewNames, withSnapshot } from "../../../provider/partitionSet/state";
import type { Properties } from "../../../provider/values";
import { desiredFromChecked, expand } from "../../../topology/policy";
import type { Plan } from "../../../topology/steps";
import { QUICK } from "../postgres/support";

/** What a run came to. */
export interface Run {
  plan: Plan;
  /** Ids of steps that were carried out. */
  done: string[];
  failed: string[];
  /** Findings of severity error or warning. */
  findings: string[];
}

/** One stack's set: remembers what the state would. */
export class SetUnderTest {
  inputs: Properties = {};
  outputs: Properties = {};
  /** Stands between the executor and the archive. */
  around?: (archiver: Archiver) => Archiver;

  constructor(readonly sessions: Sessions) {}

  check(raw: Properties): Properties {
    const { checked, failures } = expand(raw, this.inputs);
    assert.deepEqual(failures, []);
    return checked;
  }

  /** Paths that a preview's diff shows. */
  diff(raw: Properties): string[] {
    const news = this.check(raw);
    const request = { id: "", urn: "", olds: this.outputs, oldInputs: this.inputs, news, ignoreChanges: [] };
    return diffSet(request).differences.map(({ path, kind }) => `${kind} ${path}`);
  }

  preview(raw: Properties): Promise<Plan> {
    return this.sessions.withSession(async (session) => {
      const news = this.check(raw);
      const olds = withNewNames(this.outputs, this.inputs, news);
      return decide(session, await observe(session, desiredFromChecked(news), olds));
    });
  }

  async up(raw: Properties): Promise<Run> {
    const news = this.check(raw);
    const desired = desiredFromChecked(news);
    const see = () => this.sessions.withSession((session) => observe(session, desired, this.outputs));
    this.outputs = withNewNames(this.outputs, this.inputs, news);
    const before = await see();
    assert.ok(before.catalog?.parent);
    const plan = await this.preview(raw);
    // What a reorganization makes leaves by a plan of its own, made when it is there.
    const now = { ...plan, steps: plan.steps.filter(({ madeBy }) => madeBy === undefined) };
    const later = now.steps.length < plan.steps.length;
    const archiver = before.archiver && (this.around?.(before.archiver) ?? before.archiver);
    const parent = before.catalog.parent;
    const report = await execute(now, { sessions: this.sessions, parent, archiver, ladder: QUICK });
    const after = await see();
    const outputs = outputsFromActual(news, after.actual, after.identity, after.known);
    this.outputs = withSnapshot(outputs, after.actual, this.outputs);
    this.inputs = news;
    if (report.failed.length === 0 && !later) {
      const promised = outputsFromPlan(news, before.actual, plan, before.identity, before.known);
      assert.deepEqual(untyped(promised.partitions), untyped(this.outputs.partitions), "the preview promised this");
    }
    const rest = later && report.failed.length === 0 ? (await this.up(raw)).done : [];
    return {
      plan,
      done: [...report.done, ...rest],
      failed: report.failed.map(({ step, error }) => `${step}: ${error.reason}`),
      findings: plan.findings
        .filter(({ severity }) => severity !== "info")
        .map(({ severity, path, reason }) => `${severity} ${path}: ${reason}`),
    };
  }

  /** Records what is there, as `pulumi refresh` does; `raw` becomes the program of the last update. */
  async refresh(raw: Properties): Promise<void> {
    const news = this.check(raw);
    const desired = desiredFromChecked(news);
    const found = await this.sessions.withSession((session) => observe(session, desired, this.outputs));
    const outputs = outputsFromActual(news, found.actual, found.identity, found.known);
    this.outputs = withSnapshot(outputs, {}, this.outputs);
    this.inputs = news;
  }

  /** `up` where nothing may go wrong, and after which nothing is left to do. */
  async settle(raw: Properties): Promise<string[]> {
    const { done, failed, findings } = await this.up(raw);
    assert.deepEqual([failed, findings], [[], []]);
    const second = await this.preview(raw);
    assert.deepEqual(
      second.steps.map(({ id }) => id),
      [],
    );
    assert.deepEqual(this.diff(raw), []);
    return done;
  }
}

/** A new level's key types are only known from the catalog. */
function untyped(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, inner) => (key === "type" || key === "types" ? undefined : inner)));
}

/** Every attached relation below a table: `parent > name bound`, with the key of those that are divided. */
export async function treeOf(client: Client, table: string): Promise<string[]> {
  const { rows } = await client.query<{ text: string }>(
    `SELECT p.relname || ' > ' || c.relname || ' ' || pg_get_expr(c.relpartbound, 0)
       || coalesce(' / ' || pg_get_partkeydef(c.oid), '') AS text
     FROM pg_partition_tree($1::regclass) t JOIN pg_class c ON c.oid = t.relid JOIN pg_class p ON p.oid = t.parentrelid
     ORDER BY c.relname`,
    [table],
  );
  return rows.map(({ text }) => text);
}
