/** Which children and which declared partitions have to be decided together, because rows of the ones belong to the others. */
import { boundKey } from "../bounds";
import { isFactorChain } from "../coverage";
import type { ActualPartition, PartitionBound } from "../model";
import { OverlapIndex } from "../overlap";
import { type Context, type Declared, knownChild, ownChild } from "./context";

/** Children and the declared partitions, of any tier, that they overlap or share a name with. Minimal: no part stands alone. */
export interface Component {
  children: ActualPartition[];
  declared: Declared[];
}

/** A declared partition as the index of bounds takes it. */
interface Open {
  bound: PartitionBound;
  declared: Declared;
}

/**
 * The components that the missing partitions are in; those that nothing is in the way of are in none. Children that are as
 * declared, or leave in this plan, take part in none either.
 */
export function componentsOf(context: Context, missing: readonly Declared[]): Component[] {
  const children = candidates(context);
  if (children.length === 0) return [];
  const graph = new Graph(context, children);
  const seen = new Set<string>();
  const components = missing.flatMap((declared): Component[] => {
    if (seen.has(declared.name)) return [];
    const component = graph.around(declared);
    for (const { name } of component.declared) seen.add(name);
    return component.children.length === 0 ? [] : [component];
  });
  return chained(context, components) ? components : [merged(components)];
}

/** Attached children that no declared partition equals and that no decision so far was about. */
function candidates({ actual, declared, drafts, handled, types }: Context): ActualPartition[] {
  const leaving = new Set(drafts.detaches.map(({ oid }) => oid));
  const open = actual.children.filter(
    ({ oid, bound, state }) => state === "live" && !("default" in bound) && !leaving.has(oid) && !handled.has(oid),
  );
  if (open.length === 0) return [];
  const wanted = new Set(declared.map(({ partition }) => boundKey(partition, types)));
  return open.filter(({ bound }) => !wanted.has(boundKey(bound, types)));
}

/** Walks from declared partitions to children and back. */
class Graph {
  private readonly childIndex: OverlapIndex<ActualPartition>;
  private readonly openIndex: OverlapIndex<Open>;
  private readonly byOid: Map<number, ActualPartition>;
  private readonly namesOfChild = new Map<number, Declared[]>();

  constructor(
    private readonly context: Context,
    children: readonly ActualPartition[],
  ) {
    const { types, childByKey, declared } = context;
    this.childIndex = new OverlapIndex(children, types);
    this.byOid = new Map(children.map((child) => [child.oid, child]));
    const open = declared.filter(
      ({ partition }) => !("default" in partition) && !childByKey.has(boundKey(partition, types)),
    );
    this.openIndex = new OverlapIndex(
      open.map((one): Open => ({ bound: one.partition, declared: one })),
      types,
    );
    for (const one of open) {
      const named = this.named(one);
      if (named !== undefined) this.namesOfChild.set(named.oid, [...(this.namesOfChild.get(named.oid) ?? []), one]);
    }
  }

  /** The child that bears the declared name, or that the state knows by it. */
  private named({ name }: Declared): ActualPartition | undefined {
    const child = ownChild(this.context, name) ?? knownChild(this.context, name);
    return child === undefined ? undefined : this.byOid.get(child.oid);
  }

  around(start: Declared): Component {
    const declared = new Map([[start.name, start]]);
    const children = new Map<number, ActualPartition>();
    const open = [start];
    for (let one = open.pop(); one !== undefined; one = open.pop()) {
      for (const child of this.childrenOf(one)) {
        if (children.has(child.oid)) continue;
        children.set(child.oid, child);
        for (const other of this.declaredOf(child)) {
          if (declared.has(other.name)) continue;
          declared.set(other.name, other);
          open.push(other);
        }
      }
    }
    return { children: [...children.values()], declared: [...declared.values()] };
  }

  private childrenOf(declared: Declared): ActualPartition[] {
    if ("default" in declared.partition) return [];
    const named = this.named(declared);
    const hits = this.childIndex.find(declared.partition);
    return named === undefined ? hits : [...new Set([named, ...hits])];
  }

  private declaredOf(child: ActualPartition): Declared[] {
    const overlapping = this.openIndex.find(child.bound).map(({ declared }) => declared);
    return [...overlapping, ...(this.namesOfChild.get(child.oid) ?? [])];
  }
}

/** Moduli that do not divide each other cannot stand side by side for a moment: then everything changes at once. */
function chained({ actual }: Context, components: readonly Component[]): boolean {
  const bounds = [
    ...actual.children.map(({ bound }) => bound),
    ...components.flatMap(({ declared }) => declared.map(({ partition }) => partition)),
  ];
  return isFactorChain(bounds.flatMap((bound) => ("modulus" in bound ? [bound.modulus] : [])));
}

/** Components as one. */
export function merged(components: readonly Component[]): Component {
  return {
    children: components.flatMap(({ children }) => children),
    declared: components.flatMap(({ declared }) => declared),
  };
}
