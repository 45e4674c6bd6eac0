/** One sequence on a real server: a declaration, then changes of it and of the table, each followed by an `up`. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Database } from "../../provider/database";
import type { Properties } from "../../provider/values";
import { entriesOf } from "../../topology/level";
import type { DesiredSet } from "../../topology/model";
import type { Plan } from "../../topology/steps";
import { changed } from "./changes";
import { drift } from "./drift";
import type { Choice, Sequence, Step } from "./generate";
import { killedAfter } from "./kill";
import { Ledger, type Whereabouts } from "./ledger";
import { type Line, leftovers, shapeOf } from "./shape";
import { program, type Spec } from "./spec";
import { desiredOf, type Outcome, Subject } from "./subject";
import { empty, makeLedger, makeReferencing, makeSchemas, makeTable, SCHEMAS, sayLarge } from "./table";

/** Where sequences run, one after the other. */
export interface Lane {
  database: Database;
  client: Client;
  other: Client;
}

/** What sequences came to, all together. */
export interface Tally {
  sequences: number;
  ups: number;
  /** Updates that did not come to everything that was declared. */
  refused: number;
  /** Updates that ended in the middle, and were begun again. */
  killed: number;
}

/** @throws at the first thing that is not as it should be, with everything that was done until then. */
export async function runSequence(lane: Lane, sequence: Sequence, tally: Tally): Promise<void> {
  const run = new Run(lane, sequence.spec, tally);
  try {
    await run.begin();
    if (sequence.adopted !== undefined) {
      await run.found(sequence.adopted);
      await run.insert(sequence.rows);
    }
    await run.step({ refresh: false, preview: false, rows: [] });
    if (sequence.adopted === undefined) await run.insert(sequence.rows);
    for (const step of sequence.steps) await run.step(step);
    tally.sequences += 1;
    await empty(lane.client, [SCHEMAS.subject, SCHEMAS.ledger]);
  } catch (error) {
    await makeSchemas(lane.client);
    const stack = error instanceof Error ? error.stack : String(error);
    throw new Error(`${stack}\n\nafter:\n${run.trace.join("\n")}`);
  }
}

class Run {
  private readonly schema = SCHEMAS.subject;
  readonly trace: string[] = [];
  private readonly subject: Subject;
  private readonly ledger: Ledger;
  /** What is there as declared; undefined when that is not known. */
  private settled: DesiredSet | undefined;
  /** The catalog after the last update; undefined when it was not read, or when somebody has done something since. */
  private shape: Line[] | undefined;
  private readonly built = new Map<string, Line[] | undefined>();

  constructor(
    private readonly lane: Lane,
    private spec: Spec,
    private readonly tally: Tally,
  ) {
    this.subject = new Subject(lane.database);
    this.ledger = new Ledger(lane.client, this.schema, SCHEMAS.ledger, spec);
  }

  async begin(): Promise<void> {
    await makeTable(this.lane.client, this.schema, this.spec);
    await makeLedger(this.lane.client, SCHEMAS.ledger, this.spec);
    await makeReferencing(this.lane.client, this.schema, SCHEMAS.ledger, this.spec);
    await sayLarge(this.lane.client, this.spec);
  }

  /** Partitions that are there already, and in no state. */
  async found(change: Choice): Promise<void> {
    const { spec, what } = changed(this.spec, change);
    const others = new Subject(this.lane.database);
    const news = others.check(program(spec, this.schema));
    if (news === undefined) return;
    await others.up(news);
    this.trace.push(`made by others, ${what}: ${JSON.stringify(program(spec, this.schema))}`);
  }

  /** A declared partition that an update has made takes rows. */
  async insert(rows: Sequence["rows"]): Promise<void> {
    assert.deepEqual(await this.ledger.insert(rows, this.settled), [], "rows have a place");
  }

  async step({ drift: byHand, refresh, change, preview, kill, rows }: Step): Promise<void> {
    if (byHand !== undefined) {
      const what = await drift(this.lane.client, this.lane.other, this.schema, byHand, change !== undefined);
      this.trace.push(what ?? "by hand: nothing");
      await this.ledger.forgetMissing();
      this.settled = undefined;
      this.shape = undefined;
    }
    if (refresh) {
      await this.subject.refresh();
      this.trace.push("refresh");
    }
    const next = change === undefined ? { spec: this.spec, what: "up" } : changed(this.spec, change);
    await this.insert(rows);
    const news = this.subject.check(program(next.spec, this.schema));
    this.trace.push(
      `${next.what}: ${JSON.stringify(program(next.spec, this.schema))}${news ? "" : " (Check refuses)"}`,
    );
    if (news === undefined) return;
    this.spec = next.spec;
    const promised = preview ? await this.subject.preview(news) : undefined;
    const before = await this.ledger.whereabouts();
    if (kill !== undefined) await this.upAndDie(news, kill);
    const { refused } = await this.up(news, before);
    if (promised === undefined || refused.length > 0) return;
    assert.deepEqual(untyped(this.subject.partitions), untyped(promised), "the preview promised this");
  }

  /** The engine keeps the state as it was. */
  private async upAndDie(news: Properties, statements: number): Promise<void> {
    const { subject, lane, tally } = this;
    if (!subject.isRecorded) return;
    const died = await killedAfter(statements, lane.client, () => subject.forget(() => subject.up(news)));
    this.trace.push(died ? `killed after ${statements} statements` : `not killed within ${statements} statements`);
    this.shape = undefined;
    if (died) tally.killed += 1;
  }

  private async up(news: Properties, before: Map<number, Whereabouts>): Promise<Outcome> {
    const { lane, schema, subject, ledger, tally } = this;
    const shapeBefore = this.shape ?? (await shapeOf(lane.client, schema));
    this.shape = undefined;
    const outcome = await subject.up(news);
    this.settled = undefined;
    tally.ups += 1;
    if (outcome.refused.length > 0) tally.refused += 1;
    for (const reason of outcome.refused) {
      this.trace.push(`  refused: ${reason}`);
      assert.doesNotMatch(reason, / failed: |was not done/, "nothing fails where nobody else is");
    }
    const after = await ledger.whereabouts();
    if (outcome.whole) {
      assert.deepEqual(await shapeOf(lane.client, schema), shapeBefore, "a refused update changes nothing");
      assert.deepEqual(after, before, "a refused update moves no row");
      return outcome;
    }
    await this.expectRows(news, before, after, outcome);
    if (outcome.refused.length > 0) await this.goOn(news);
    await this.expectNothingLeft(news, outcome, after);
    await this.expectDeclaredShape(news, outcome);
    this.settled = outcome.refused.length === 0 ? desiredOf(news) : undefined;
    return outcome;
  }

  /** What is done beside a refusal may clear the way for what was refused: the next run does that then. */
  private async goOn(news: Properties): Promise<void> {
    const { plan } = await this.subject.lookAgain(news);
    if (plan.steps.length > 0) await this.subject.up(news);
  }

  /** Every row is where the declaration has it, and only rows that it gives up are gone. */
  private async expectRows(
    news: Properties,
    before: Map<number, Whereabouts>,
    after: Map<number, Whereabouts>,
    { refused }: Outcome,
  ): Promise<void> {
    const desired = desiredOf(news);
    const belongings = await this.ledger.belongings(desired);
    const declared = new Set([...entriesOf(desired.partitions, "t")].map(({ name }) => name));
    for (const [id, now] of after) {
      const then = before.get(id);
      const belongs = belongings.get(id);
      const given = belongs?.tier === "dropped" || (belongs === undefined && desired.retired !== undefined);
      const text = `row ${id}: ${JSON.stringify({ then, now, belongs })}`;
      if (now.state === "gone") assert.ok(given || then?.state === "gone", `${text}: is lost`);
      if (refused.length > 0 || then?.state !== "attached") continue;
      if (now.state === "attached" && now.table === then.table && !declared.has(now.table)) continue;
      const stays = belongs === undefined || belongs.tier === "live";
      if (belongs?.tier === "live") assert.deepEqual(now, { state: "attached", table: belongs.name }, text);
      else if (stays && !given) assert.equal(now.state, "attached", text);
    }
  }

  /** A second run has nothing to do, the state says so, and nothing of the first one is left. */
  private async expectNothingLeft(
    news: Properties,
    { refused }: Outcome,
    rows: Map<number, Whereabouts>,
  ): Promise<void> {
    const { subject, lane, schema } = this;
    const { plan: second, partitions } = await subject.lookAgain(news);
    assert.deepEqual(
      second.steps.map(({ id, method, reason }) => `${id} by ${method}: ${reason}`),
      [],
      "the second plan is empty",
    );
    // What is below a partition that is refused is not looked at, and so a detach stays half done there.
    const isExcused = (text: string) => refused.length > 0 && text.startsWith("pending detach");
    const left = (await leftovers(lane.client, schema)).filter((text) => !isExcused(text));
    assert.deepEqual(left, [], "nothing of ours is left behind");
    if (refused.length > 0) return;
    await this.expectTold(news, second, rows);
    assert.deepEqual(subject.differences(news), [], "the state is as declared");
    assert.deepEqual(partitions, subject.partitions, "a refresh sees what the update has recorded");
  }

  /** Rows that are declared to be in a partition and are in a known table that is none do not stay there in silence. */
  private async expectTold(news: Properties, { findings }: Plan, rows: Map<number, Whereabouts>): Promise<void> {
    const loose = [...rows].flatMap(([id, now]) => (now.state === "loose" ? [{ id, table: now.table }] : []));
    if (loose.length === 0) return;
    const belongings = await this.ledger.belongings(desiredOf(news));
    const told = findings.map(({ reason }) => reason).join("\n");
    const silent = loose.filter(
      ({ id, table }) =>
        belongings.get(id)?.tier === "live" && this.subject.knows(table) && !told.includes(`${this.schema}.${table} `),
    );
    assert.deepEqual(silent, [], "rows that are left outside are reported");
  }

  /** The catalog is that of the same declaration made from nothing, but for what nobody declares. */
  private async expectDeclaredShape(news: Properties, { refused }: Outcome): Promise<void> {
    if (refused.length > 0) return;
    const fresh = await this.freshShape(news);
    if (fresh === undefined) return;
    const names = new Set(fresh.map(({ relation }) => relation));
    this.shape = await shapeOf(this.lane.client, this.schema);
    const actual = this.shape.filter(({ relation }) => names.has(relation));
    assert.deepEqual(texts(actual), texts(fresh), "the catalog is that of a table made from nothing");
  }

  /** Undefined when the declaration cannot be made from nothing. */
  private async freshShape(news: Properties): Promise<Line[] | undefined> {
    const key = JSON.stringify(news);
    if (this.built.has(key)) return this.built.get(key);
    const schema = SCHEMAS.fresh;
    const { client, database } = this.lane;
    await makeTable(client, schema, this.spec);
    try {
      const { refused } = await new Subject(database).up({ ...news, schema });
      const shape = refused.length > 0 ? undefined : await shapeOf(client, schema);
      this.built.set(key, shape);
      return shape;
    } finally {
      await empty(client, [schema]);
    }
  }
}

function texts(lines: readonly Line[]): string[] {
  return lines.map(({ relation, text }) => `${relation}: ${text}`).sort();
}

/** The key types of a new level are known from the catalog only. */
function untyped(partitions: unknown): unknown {
  return JSON.parse(
    JSON.stringify(partitions, (key, value) => (key === "type" || key === "types" ? undefined : value)),
  );
}
