/** A tiny PostgreSQL in memory: enough of its rules to carry out plans and to refuse what it would refuse. */
import assert from "node:assert/strict";
import { boundsOverlap, compareEnds } from "../../../topology/bounds";
import { isFactorChain } from "../../../topology/coverage";
import type {
  ActualLevel,
  ActualParent,
  ActualPartition,
  ActualSet,
  Answer,
  DesiredSet,
  KnownOids,
  NewLevel,
  PartitionBound,
  Question,
  Reorganization,
  UnfinishedReorganization,
} from "../../../topology/model";
import { plan } from "../../../topology/plan";
import { reorganizationId } from "../../../topology/reorganization";
import type { Plan, Step } from "../../../topology/steps";

interface Relation {
  oid: number;
  schema: string;
  name: string;
  /** Undefined: an ordinary table. */
  bound?: PartitionBound;
  pending?: boolean;
  /** Keys of its rows, which are in its leaves when it is divided. */
  rows: Set<string>;
  /** What it is divided into; each way has a place for every row. */
  inside?: { oid: number; name: string; bound: PartitionBound }[];
}

export class World {
  relations: Relation[] = [];
  /** What the last up or refresh recorded, with the bounds that PostgreSQL forgets at a detach. */
  known: KnownOids = {};
  private readonly bounds = new Map<number, PartitionBound>();
  private nextOid = 100;
  private readonly guards = new Set<number>();
  unfinished: UnfinishedReorganization[] = [];
  /** Reorganizations end here, as a kill would end them. */
  killedAt?: "copying" | "swapped";
  /** Called after each transaction. */
  onCommit: () => void = () => {};

  constructor(
    private readonly desired: DesiredSet,
    readonly parent: Partial<ActualParent> = {},
  ) {}

  add(name: string, bound?: PartitionBound, schema = this.desired.schema): Relation {
    assert(!this.find(name, schema), `relation ${schema}.${name} already exists`);
    assert(!this.relations.some(({ inside }) => inside?.some((inner) => inner.name === name)), `${name} is free`);
    const relation: Relation = { oid: this.nextOid++, schema, name, rows: new Set() };
    this.relations.push(relation);
    if (bound !== undefined) this.attach(relation, bound);
    return relation;
  }

  /** Divides an empty table. */
  divide(relation: Relation, inside: Pick<NewLevel["partitions"][number], "name" | "bound">[]): Relation {
    assert.equal(relation.rows.size, 0, `${relation.name} is empty`);
    for (const { name } of inside) assert(!this.isTaken(name), `relation ${name} already exists`);
    relation.inside = inside.map(({ name, bound }) => ({ oid: this.nextOid++, name, bound }));
    return relation;
  }

  private isTaken(name: string): boolean {
    return this.relations.some((one) => one.name === name || one.inside?.some((inner) => inner.name === name));
  }

  find(name: string, schema = this.desired.schema): Relation | undefined {
    return this.relations.find((relation) => relation.name === name && relation.schema === schema);
  }

  attach(relation: Relation, bound: PartitionBound): void {
    assert(relation.bound === undefined, `${relation.name} is already a partition`);
    for (const other of this.relations)
      if (other.bound !== undefined)
        assert(
          !boundsOverlap(other.bound, bound, this.desired.keyTypes),
          `${relation.name} would overlap ${other.name}`,
        );
    this.scan(relation, bound);
    const moduli = [bound, ...this.relations.map((other) => other.bound)].flatMap((other) =>
      other !== undefined && "modulus" in other ? [other.modulus] : [],
    );
    assert(isFactorChain(moduli), `moduli ${moduli.join()} divide each other`);
    relation.bound = bound;
    this.bounds.set(relation.oid, bound);
  }

  /** ATTACH looks for rows outside of the bound, and in DEFAULT for rows inside of it. */
  private scan(relation: Relation, bound: PartitionBound): void {
    const types = this.desired.keyTypes;
    const others = this.relations.filter((other) => other !== relation && other.bound !== undefined);
    if ("default" in bound) {
      const taken = [...relation.rows].filter((key) => others.some((other) => holds(other.bound!, key, types)));
      assert.deepEqual(taken, [], `23514: ${relation.name} holds rows of other partitions`);
      return;
    }
    const outside = [...relation.rows].filter((key) => !holds(bound, key, types));
    assert.deepEqual(outside, [], `23514: ${relation.name} holds rows outside of its bound`);
    const fallback = others.find((other) => "default" in other.bound!);
    const inDefault = [...(fallback?.rows ?? [])].filter((key) => holds(bound, key, types));
    assert.deepEqual(inDefault, [], `23514: DEFAULT holds rows of ${relation.name}`);
  }

  /** As PostgreSQL routes a row; undefined: no partition takes it. */
  route(key: string): Relation | undefined {
    const attached = this.relations.filter(({ bound, pending }) => bound !== undefined && !pending);
    const own = attached.find(({ bound }) => !("default" in bound!) && holds(bound!, key, this.desired.keyTypes));
    return own ?? attached.find(({ bound }) => "default" in bound!);
  }

  /** True when the row was taken. */
  insert(key: string): boolean {
    const target = this.route(key);
    target?.rows.add(key);
    return target !== undefined;
  }

  /** Keys of the rows that are seen through the parent; each is in one partition only. */
  visible(): string[] {
    const keys = this.relations
      .filter(({ bound, pending }) => bound !== undefined && !pending)
      .flatMap(({ rows }) => [...rows]);
    assert.equal(new Set(keys).size, keys.length, "no row is seen twice");
    return keys.sort();
  }

  answer({ table, within }: Question): Answer {
    const relation = this.relations.find(({ oid, inside }) =>
      [{ oid }, ...(inside ?? [])].some((one) => one.oid === table.oid),
    );
    assert(relation, `${table.name} is there to be asked`);
    const rows = [...relation.rows].filter((key) => within === undefined || holds(within, key, this.desired.keyTypes));
    const found = rows.length > 0 ? "some" : "none";
    return { oid: table.oid, found, rows: rows.length, ...(within ? { within } : { bytes: 8192 * rows.length }) };
  }

  /** The plan for what is there, all questions answered. */
  plan(desired: DesiredSet): Plan {
    const answers: Answer[] = [];
    for (let round = 0; round < 10; round++) {
      const made = plan(desired, { ...this.actual(desired), answers }, this.known);
      if (made.questions === undefined) return made;
      answers.push(...made.questions.map((question) => this.answer(question)));
    }
    throw new Error("the plan goes on asking");
  }

  /** Plans and carries out, and what is only shown of it by a second plan. */
  up(desired: DesiredSet): Plan {
    const first = this.plan(desired);
    this.apply(first);
    this.remember();
    if (!first.steps.some(({ madeBy }) => madeBy !== undefined)) return first;
    const second = this.plan(desired);
    const promised = first.steps.filter(({ madeBy }) => madeBy !== undefined).map(({ id }) => id);
    assert.deepEqual(second.steps.map(({ id }) => id).sort(), promised.sort(), "what was shown is what is done");
    this.apply(second);
    this.remember();
    return first;
  }

  detach(relation: Relation): void {
    assert(relation.bound !== undefined, `${relation.name} is not a partition`);
    relation.bound = undefined;
    relation.pending = undefined;
  }

  drop(relation: Relation): void {
    assert(relation.bound === undefined, "only detached tables are dropped");
    this.relations = this.relations.filter((other) => other !== relation);
  }

  /** What refresh records: everything that was a partition. */
  remember(): void {
    const actual = this.actual();
    const all = [...actual.children, ...actual.detached].flatMap((one) => [one, ...(one.level?.children ?? [])]);
    this.known = Object.fromEntries(all.map(({ name, oid }) => [name, oid]));
  }

  actual(desired = this.desired): ActualSet {
    const knownOids = new Set(Object.values(this.known));
    const partition = (
      relation: Relation,
      bound: PartitionBound,
      state: ActualPartition["state"],
    ): ActualPartition => ({
      oid: relation.oid,
      schema: relation.schema,
      name: relation.name,
      bound,
      state,
      relkind: relation.inside === undefined ? "r" : "p",
      rows: 1000,
      bytes: 8192,
      ...(relation.inside && { level: levelOf(relation.schema, relation.inside) }),
    });
    const attached = this.relations.flatMap((relation) =>
      relation.bound === undefined ? [] : [partition(relation, relation.bound, relation.pending ? "pending" : "live")],
    );
    const loose = this.relations.filter(({ bound }) => bound === undefined);
    const isKnown = ({ oid }: Relation) => knownOids.has(oid) && this.bounds.has(oid);
    const fallback = attached.find(({ bound }) => "default" in bound);
    return {
      source: "catalog",
      parent: {
        schema: desired.schema,
        name: desired.table,
        oid: 1,
        strategy: desired.strategy,
        keyColumns: desired.keyColumns,
        keyTypes: desired.keyTypes ?? [],
        references: [],
        referencedBy: [],
        ...(fallback && {
          defaultPartition: { schema: fallback.schema, name: fallback.name, oid: fallback.oid, bytes: 0 },
        }),
        ...this.parent,
      },
      children: attached,
      ...(this.unfinished.length === 0 ? {} : { reorganizations: this.unfinished }),
      detached: loose
        .filter(isKnown)
        .map((relation) => partition(relation, this.bounds.get(relation.oid)!, "detached")),
      strangers: loose
        .filter((relation) => !isKnown(relation) && relation.name in desired.partitions)
        .map(({ oid, schema, name }) => ({ oid, schema, name, relkind: "r", rows: 5, bytes: 8192, misfits: [] })),
    };
  }

  /** Carries out a plan as the executor does: in order, each step after those that it names. */
  apply({ steps }: Plan): void {
    const done = new Set<string>();
    let transaction = 0;
    for (const [at, step] of steps.entries()) {
      assert(!done.has(step.id), `the id ${step.id} is unique`);
      assert(
        step.transaction === transaction || step.transaction === transaction + 1,
        "transactions follow each other",
      );
      if (step.transaction === transaction && !step.indivisible)
        assert.equal(step.kind, "create", "only creates follow in a transaction that can be divided");
      transaction = step.transaction;
      if (step.madeBy !== undefined) continue;
      for (const id of step.after) assert(done.has(id), `${step.id} comes after ${id}`);
      this.carryOut(step);
      done.add(step.id);
      if (steps[at + 1]?.transaction !== transaction) this.onCommit();
      if (step.kind === "reorganize" && this.killedAt !== undefined) return;
    }
    assert.equal(this.guards.size, 0, "no guard is left behind");
  }

  private carryOut(step: Step): void {
    if (step.reorganization !== undefined) {
      this.reorganize(step, step.reorganization);
      return;
    }
    const at = step.current ?? { name: step.partition, schema: step.schema };
    const relation = this.find(at.name, at.schema);
    if (step.kind === "create") {
      const made = this.add(step.partition, step.bound, step.schema);
      if (step.level !== undefined) this.divide(made, step.level.partitions);
      return;
    }
    assert(relation, `${at.schema}.${at.name} is there for ${step.id}`);
    assert.equal(relation.oid, step.oid, `${step.id} is about the relation planned for`);
    this.change(step, relation);
  }

  private change(step: Step, relation: Relation): void {
    const others = this.relations.filter((other) => other !== relation);
    const actions: Partial<Record<Step["kind"], () => void>> = {
      finalizeDetach: () => {
        assert(relation.pending, "only pending detaches are finalized");
        this.detach(relation);
      },
      guardDefault: () => this.guards.add(relation.oid),
      unguardDefault: () => this.guards.delete(relation.oid),
      proveBound: () => this.guards.add(relation.oid),
      unproveBound: () => this.guards.delete(relation.oid),
      attach: () => this.attach(relation, step.bound!),
      rebound: () => {
        this.detach(relation);
        this.attach(relation, step.bound!);
      },
      rename: () => {
        assert(!this.find(step.partition, step.schema), `the name ${step.partition} is free`);
        Object.assign(relation, { name: step.partition, schema: step.schema });
      },
      detach: () => {
        if (step.method === "detachConcurrently") {
          assert(!others.some(({ bound }) => bound && "default" in bound), "CONCURRENTLY is refused beside a DEFAULT");
          assert(!this.relations.some(({ pending }) => pending), "CONCURRENTLY is refused beside a pending detach");
        }
        this.detach(relation);
      },
      drop: () => this.drop(relation),
    };
    const action = actions[step.kind];
    assert(action, `the world knows what ${step.kind} does`);
    action();
  }

  private reorganize(step: Step, { sources, targets }: Reorganization): void {
    const id = reorganizationId(1, { sources, targets });
    const begun = this.unfinished.find((one) => one.id === id);
    this.unfinished = this.unfinished.filter((one) => one !== begun);
    if (step.kind === "abandonReorganization") {
      assert.equal(begun?.phase, "copying", "only a copy is given up");
      return;
    }
    const staging = { oid: this.nextOid++, schema: step.schema, name: `pgpartition_${id}` };
    if (this.killedAt === "copying") {
      this.unfinished.push({ id, staging, phase: "copying", sources, targets });
      return;
    }
    const found = sources.map(({ oid }) => this.relations.find((relation) => relation.oid === oid));
    if (begun?.phase !== "swapped") this.exchange(step, sources, targets);
    if (this.killedAt === "swapped") this.unfinished.push({ id, staging, phase: "swapped", sources, targets });
    else this.relations = this.relations.filter((relation) => !found.includes(relation));
  }

  /** Sources out, targets in, in one transaction. */
  private exchange(step: Step, sources: Reorganization["sources"], targets: Reorganization["targets"]): void {
    const rows: string[] = [];
    for (const source of sources) {
      const relation = this.relations.find(({ oid }) => oid === source.oid);
      assert(relation, `${source.name} is there for ${step.id}`);
      assert.equal(relation.name, source.name);
      assert.deepEqual(relation.bound, source.bound, `${source.name} has the bound planned for`);
      assert.deepEqual(
        source.below?.map(({ oid }) => oid),
        relation.inside?.map(({ oid }) => oid),
        `${source.name} has the partitions planned for`,
      );
      for (const inner of relation.inside ?? []) inner.name = `pgpartition_aside_${inner.oid}`;
      this.detach(relation);
      relation.name = `pgpartition_aside_${relation.oid}`;
      rows.push(...relation.rows);
    }
    const made = targets.map(({ name, bound, level }) => {
      const table = this.add(name, undefined, step.schema);
      return { table: level === undefined ? table : this.divide(table, level.partitions), bound };
    });
    const plain = made.filter(({ bound }) => !("default" in bound));
    const fallback = made.find(({ bound }) => "default" in bound);
    for (const key of rows) {
      const target = plain.find(({ bound }) => holds(bound, key, this.desired.keyTypes)) ?? fallback;
      assert(target, `23514: no target of ${step.id} takes ${key}`);
      target.table.rows.add(key);
    }
    for (const { table, bound } of [...plain, ...(fallback ? [fallback] : [])]) this.attach(table, bound);
  }

  /** Names of attached partitions. */
  attached(): string[] {
    return this.relations.filter(({ bound }) => bound !== undefined).map(({ name }) => name);
  }
}

function levelOf(schema: string, inside: NonNullable<Relation["inside"]>): ActualLevel {
  const isHash = inside.some(({ bound }) => "modulus" in bound);
  return {
    ...(isHash ? { strategy: "hash", keyColumns: ["i"] } : { strategy: "list", keyColumns: ["j"] }),
    keyTypes: [],
    references: [],
    referencedBy: [],
    children: inside.map((inner) => ({ ...inner, schema, state: "live", relkind: "r", rows: 500, bytes: 4096 })),
    detached: [],
  };
}

/** True when a row of this key belongs to the bound; keys of HASH stand for their hashes. */
function holds(bound: PartitionBound, key: string, types: readonly string[] | undefined): boolean {
  if ("values" in bound) return bound.values.includes(key);
  if ("modulus" in bound) return Number(key) % bound.modulus === bound.remainder;
  if (!("from" in bound)) return false;
  return compareEnds(bound.from, key, types) <= 0 && compareEnds(key, bound.to, types) < 0;
}
