/** A tiny PostgreSQL in memory: enough of its rules to carry out plans and to refuse what it would refuse. */
import assert from "node:assert/strict";
import { boundsOverlap } from "../../../topology/bounds";
import type {
  ActualParent,
  ActualPartition,
  ActualSet,
  DesiredSet,
  KnownOids,
  PartitionBound,
  Plan,
  Step,
} from "../../../topology/model";

interface Relation {
  oid: number;
  schema: string;
  name: string;
  /** Undefined: an ordinary table. */
  bound?: PartitionBound;
  pending?: boolean;
}

export class World {
  relations: Relation[] = [];
  /** What the last up or refresh recorded, with the bounds that PostgreSQL forgets at a detach. */
  known: KnownOids = {};
  private readonly bounds = new Map<number, PartitionBound>();
  private nextOid = 100;
  private readonly guards = new Set<number>();

  constructor(
    private readonly desired: DesiredSet,
    readonly parent: Partial<ActualParent> = {},
  ) {}

  add(name: string, bound?: PartitionBound, schema = this.desired.schema): Relation {
    assert(!this.find(name, schema), `relation ${schema}.${name} already exists`);
    const relation: Relation = { oid: this.nextOid++, schema, name };
    this.relations.push(relation);
    if (bound !== undefined) this.attach(relation, bound);
    return relation;
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
    relation.bound = bound;
    this.bounds.set(relation.oid, bound);
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
    this.known = Object.fromEntries([...actual.children, ...actual.detached].map(({ name, oid }) => [name, oid]));
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
      relkind: "r",
      rows: 1000,
      bytes: 8192,
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
    for (const step of steps) {
      assert(!done.has(step.id), `the id ${step.id} is unique`);
      assert(
        step.transaction === transaction || step.transaction === transaction + 1,
        "transactions follow each other",
      );
      if (step.transaction === transaction) assert.equal(step.kind, "create", "only creates share a transaction");
      transaction = step.transaction;
      for (const id of step.after) assert(done.has(id), `${step.id} comes after ${id}`);
      this.carryOut(step);
      done.add(step.id);
    }
    assert.equal(this.guards.size, 0, "no guard is left behind");
  }

  private carryOut(step: Step): void {
    const at = step.current ?? { name: step.partition, schema: step.schema };
    const relation = this.find(at.name, at.schema);
    if (step.kind === "create") {
      this.add(step.partition, step.bound);
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

  /** Names of attached partitions. */
  attached(): string[] {
    return this.relations.filter(({ bound }) => bound !== undefined).map(({ name }) => name);
  }
}
