/** The parts of an index below the table: which are missing, which can be adopted, which have to be built again. */
import { isElsewhere, sameSignature } from "./compare";
import type { IndexDeclaration, IndexFinding, IndexStep, IndexTree, TreeIndex, TreeRelation } from "./model";
import { partNames } from "./names";

/** The index to which the parts of a relation's partitions are attached: its name, and its OID once it is there. */
interface Above {
  name: string;
  oid?: number;
}

interface Begin {
  after?: IndexStep[];
  comment?: string;
  attachTo?: IndexStep["attachTo"];
}

/** Plans the parts of one index; each relation is visited once. */
export class PartPlanner {
  readonly findings: IndexFinding[] = [];
  private readonly children = new Map<number, TreeRelation[]>();
  private readonly indexes = new Map<number, TreeIndex[]>();
  private readonly chosen = new Set<string>();

  constructor(
    private readonly declared: IndexDeclaration,
    private readonly tree: IndexTree,
  ) {
    for (const relation of tree.relations) {
      if (relation.parent !== undefined) group(this.children, relation.parent, relation);
    }
    for (const index of tree.indexes) group(this.indexes, index.table, index);
  }

  /** The index on a partitioned relation that has none, and all parts below it. */
  create(relation: TreeRelation, name: string, reason: string, begin: Begin = {}): IndexStep[] {
    const step: IndexStep = {
      id: `create:${relation.name}`,
      kind: "create",
      table: relation,
      index: { schema: relation.schema, name },
      attachTo: begin.attachTo,
      comment: begin.comment,
      reason,
      after: (begin.after ?? []).map(({ id }) => id),
    };
    return [step, ...this.fill(relation, { name }, [step])];
  }

  /** What is missing below a relation whose own index is there, or will be after `after`. */
  fill(relation: TreeRelation, above: Above, after: IndexStep[] = []): IndexStep[] {
    const attachTo = { index: { schema: relation.schema, name: above.name }, table: relation };
    return (this.children.get(relation.oid) ?? []).flatMap((child) => this.part(child, above, attachTo, after));
  }

  private part(child: TreeRelation, above: Above, attachTo: IndexStep["attachTo"], after: IndexStep[]): IndexStep[] {
    if (child.relkind === "f") return [];
    const attached = this.on(child).find((index) => above.oid !== undefined && index.attachedTo === above.oid);
    if (attached !== undefined) {
      if (child.relkind !== "p") return this.repair(child, attached);
      return [...this.relocate(child, attached), ...this.fill(child, attached)];
    }
    const equal = this.on(child).find((index) => this.isAdoptable(child, index));
    const ids = after.map(({ id }) => id);
    if (equal !== undefined) {
      const constraint = equal.constraint === undefined ? this.declared.constraint : undefined;
      const adopt = {
        ...this.about(child, "adopt", equal, ids),
        attachTo,
        constraint,
        reason: "an equal index is there",
      };
      const inside = child.relkind === "p" ? this.fill(child, equal) : [];
      return [adopt, ...this.relocate(child, equal, [adopt.id]), ...inside];
    }
    const name = this.choose(child);
    if (child.relkind === "p") return this.create(child, name, "missing", { attachTo, after });
    const removals = this.leftovers(child).map((index) => this.dropInvalid(child, index));
    if (removals.includes(undefined)) return [];
    const dropped = removals.filter((step) => step !== undefined);
    const build: IndexStep = {
      id: `build:${child.name}`,
      kind: "build",
      table: child,
      index: { schema: child.schema, name },
      attachTo,
      constraint: this.declared.constraint,
      reason: dropped.length > 0 ? "an earlier build was interrupted" : "missing",
      after: [...ids, ...dropped.map(({ id }) => id)],
    };
    return [...dropped, build];
  }

  /** A part that is attached cannot be dropped alone; PostgreSQL builds it again beside itself. */
  private repair(child: TreeRelation, attached: TreeIndex): IndexStep[] {
    if (attached.valid && !isElsewhere(this.declared, attached)) return [];
    const removals = this.on(child)
      .filter((index) => isRebuildLeftover(attached, index))
      .map((index) => this.dropInvalid(child, index))
      .filter((step) => step !== undefined);
    const after = removals.map(({ id }) => id);
    if (attached.valid) return [...removals, ...this.relocate(child, attached, after)];
    return [...removals, { ...this.about(child, "rebuild", attached, after), reason: "it is attached and not valid" }];
  }

  /** To the declared tablespace; of a partitioned relation only the catalog changes, for partitions to come. */
  relocate(relation: TreeRelation, index: TreeIndex, after: string[] = []): IndexStep[] {
    if (!isElsewhere(this.declared, index)) return [];
    const reason = `it is in ${index.tablespace}, declared in ${this.declared.tablespace}`;
    return [{ ...this.about(relation, relation.relkind === "p" ? "place" : "move", index, after), reason }];
  }

  private about(child: TreeRelation, kind: IndexStep["kind"], index: TreeIndex, after: string[]): IndexStep {
    const { schema, name, oid } = index;
    return { id: `${kind}:${name}`, kind, table: child, index: { schema, name }, oid, reason: "", after };
  }

  /** Undefined while somebody is building it: that is not ours to end. */
  private dropInvalid(child: TreeRelation, index: TreeIndex): IndexStep | undefined {
    if (index.builder !== undefined) {
      const reason = `${index.schema}.${index.name} is being built by process ${index.builder} just now; run again after that.`;
      this.findings.push({ severity: "error", path: `partitions.${child.name}`, reason });
      return undefined;
    }
    return { ...this.about(child, "dropInvalid", index, []), reason: "left by a build that did not end" };
  }

  /** What an interrupted CREATE INDEX CONCURRENTLY of ours has left; nobody else's invalid index has such a name. */
  private leftovers(child: TreeRelation): TreeIndex[] {
    const names = this.names(child);
    return this.on(child).filter(
      ({ name, valid, attachedTo, constraint }) =>
        !valid && attachedTo === undefined && constraint === undefined && names.includes(name),
    );
  }

  private isAdoptable(child: TreeRelation, index: TreeIndex): boolean {
    const { constraint } = this.declared;
    const fits = index.constraint === constraint || (index.constraint === undefined && child.relkind === "r");
    const usable = index.valid || child.relkind === "p";
    return index.attachedTo === undefined && fits && usable && sameSignature(this.tree.wanted, index);
  }

  private choose(child: TreeRelation): string {
    const mine = new Set(this.leftovers(child).map(({ name }) => name));
    const isFree = (name: string) => {
      const relation = `${child.schema}.${name}`;
      return !this.chosen.has(relation) && (mine.has(name) || !this.tree.taken.has(relation));
    };
    const name = this.names(child).find(isFree);
    if (name === undefined)
      throw new RangeError(`Every name for the part of ${this.declared.name} on ${child.name} is taken.`);
    this.chosen.add(`${child.schema}.${name}`);
    return name;
  }

  private names(child: TreeRelation): string[] {
    return partNames(this.declared.name, this.declared.table, child);
  }

  private on(relation: TreeRelation): TreeIndex[] {
    return this.indexes.get(relation.oid) ?? [];
  }
}

/** REINDEX CONCURRENTLY builds under a name of its own, which an interruption leaves. */
function isRebuildLeftover(attached: TreeIndex, index: TreeIndex): boolean {
  const start = attached.name.slice(0, 20);
  const named = index.name.startsWith(start) && /_ccnew\d*$/.test(index.name);
  return named && !index.valid && index.attachedTo === undefined && sameSignature(attached, index);
}

function group<T>(map: Map<number, T[]>, key: number, value: T): void {
  const there = map.get(key);
  if (there === undefined) map.set(key, [value]);
  else there.push(value);
}
