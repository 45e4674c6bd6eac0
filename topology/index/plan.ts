/** The one decision about an index: the ordered steps between its declaration and what is there on the whole tree. */
import { indexDifferences } from "./compare";
import type { IndexDeclaration, IndexFinding, IndexPlan, IndexStep, IndexTree, TreeIndex, TreeRelation } from "./model";
import { replacementName } from "./names";
import { PartPlanner } from "./parts";

/** By this comment a later run knows an index that was begun as a replacement. */
export const REPLACEMENT_COMMENT = "pgpartition: replaces the index that is declared here";

/**
 * Makes the plan: pure and deterministic. Empty when the index is on the table as declared and every partition has its
 * part. `recorded`: OID by which the state knows the index, which may have another name now.
 */
export function planIndex(declared: IndexDeclaration, tree: IndexTree, recorded?: number): IndexPlan {
  const root = rootOf(tree);
  const onRoot = tree.indexes.filter(({ table }) => table === root.oid);
  const known = onRoot.find(({ oid }) => oid === recorded);
  const named = onRoot.find(({ name }) => name === declared.name);
  const found = known ?? named;
  const findings = obstacles(declared, tree, { found, named });
  if (findings.length > 0) return { steps: [], findings, found };
  const replacement = onRoot.find(
    ({ name, comment }) => name === replacementName(declared.name) && comment === REPLACEMENT_COMMENT,
  );
  const parts = new PartPlanner(declared, tree);
  const steps =
    found === undefined
      ? parts.create(root, declared.name, "declared")
      : asDeclared(tree, found)
        ? keep(declared, tree, found, parts)
        : replace(declared, tree, { found, replacement, reason: differenceReason(tree, found) }, parts);
  const broken = found !== undefined && steps.length === 0 && isBroken(tree, found);
  if (broken && parts.findings.length === 0) {
    const reason = "all parts are there, and PostgreSQL still holds the index for invalid";
    steps.push(...replace(declared, tree, { found, replacement, reason }, parts));
  }
  const leftover = replacement !== undefined && !steps.some(({ kind }) => kind === "swap") ? replacement : undefined;
  return {
    steps:
      leftover === undefined ? steps : [...steps, drop(tree, leftover, "a replacement that is not needed any more")],
    findings: parts.findings,
    found,
  };
}

/** The step that takes an index away from the table and all its partitions. */
export function drop(tree: Pick<IndexTree, "relations">, index: TreeIndex, reason: string): IndexStep {
  const drops = { schema: index.schema, name: index.name, oid: index.oid };
  const locks = lockable(tree);
  return { id: `drop:${index.name}`, kind: "drop", table: rootOf(tree), index, drops, locks, reason, after: [] };
}

function rootOf({ relations: [root] }: Pick<IndexTree, "relations">): TreeRelation {
  if (root === undefined) throw new RangeError("A tree has at least its table.");
  return root;
}

function lockable({ relations }: Pick<IndexTree, "relations">) {
  return relations.map(({ schema, name }) => ({ schema, name }));
}

interface Candidates {
  found?: TreeIndex;
  named?: TreeIndex;
}

/** What only a person can decide. */
function obstacles(declared: IndexDeclaration, tree: IndexTree, { found, named }: Candidates): IndexFinding[] {
  const quoted = `${declared.schema}.${declared.name}`;
  const refuse = (reason: string): IndexFinding[] => [{ severity: "error", path: "name", reason }];
  if (found !== undefined && named !== undefined && found.oid !== named.oid) {
    return refuse(
      `The index of this resource is called ${found.name} now, and ${quoted} is another index of the table. Rename or drop one of them.`,
    );
  }
  if (named === undefined && tree.taken.has(quoted)) {
    return refuse(`${quoted} is the name of another relation. Choose another name, or rename that one.`);
  }
  if (found !== undefined && found.constraint !== declared.constraint) {
    const is = found.constraint === undefined ? "no constraint" : "the index of a constraint";
    return refuse(`${quoted} is ${is}, and is left as it is. Declare it as what it is, or choose another name.`);
  }
  if (declared.constraint !== undefined && found !== undefined && !asDeclared(tree, found)) {
    return refuse(`The constraint ${quoted} has other columns. A constraint cannot be altered; declare a new one.`);
  }
  return uniquePerPartition(declared, tree);
}

/** PostgreSQL enforces uniqueness leaf by leaf: only with every key column of every level does that mean the whole table. */
function uniquePerPartition({ unique, columns }: IndexDeclaration, { relations }: IndexTree): IndexFinding[] {
  if (!unique) return [];
  const present = new Set(columns.map(({ column }) => column));
  return relations.flatMap(({ schema, name, key }) => {
    const missing = key.filter((column) => column === null || !present.has(column));
    if (missing.length === 0) return [];
    const named = missing.map((column) =>
      column === null ? "an expression, which no unique index can contain" : `"${column}"`,
    );
    const reason = `${schema}.${name} is partitioned by ${named.join(", ")}: a unique index must contain every key column, or it would not be unique over all partitions.`;
    return [{ severity: "error", path: "columns", reason }];
  });
}

function asDeclared(tree: IndexTree, index: TreeIndex): boolean {
  return indexDifferences(tree.wanted, index).length === 0;
}

function differenceReason(tree: IndexTree, found: TreeIndex): string {
  return `changed: ${indexDifferences(tree.wanted, found).join(", ")}`;
}

function keep(declared: IndexDeclaration, tree: IndexTree, found: TreeIndex, parts: PartPlanner): IndexStep[] {
  // First, so that partitions which come meanwhile have their part where it belongs.
  const steps = [...parts.relocate(rootOf(tree), found), ...parts.fill(rootOf(tree), found)];
  if (found.name === declared.name) return steps;
  const { schema, name, oid } = found;
  const rename: IndexStep = {
    id: `rename:${name}`,
    kind: "rename",
    table: rootOf(tree),
    index: { schema, name },
    oid,
    name: declared.name,
    reason: "declared under another name",
    after: [],
  };
  // Last, so that the names of the parts' attachments hold until then.
  return [...steps, rename];
}

interface Replacement {
  found: TreeIndex;
  replacement?: TreeIndex;
  reason: string;
}

/** The new index is built beside the old one, which goes in the moment in which the new one gets its name. */
function replace(declared: IndexDeclaration, tree: IndexTree, change: Replacement, parts: PartPlanner): IndexStep[] {
  const { found, replacement, reason } = change;
  const root = rootOf(tree);
  const resumed = replacement !== undefined && asDeclared(tree, replacement);
  const before =
    replacement === undefined || resumed ? [] : [drop(tree, replacement, "begun for another definition of the index")];
  const build = resumed
    ? parts.fill(root, replacement)
    : parts.create(root, replacementName(declared.name), reason, { after: before, comment: REPLACEMENT_COMMENT });
  if (resumed && build.length === 0 && isBroken(tree, replacement)) {
    return [drop(tree, replacement, "it cannot become valid"), ...build];
  }
  const swap: IndexStep = {
    id: `swap:${declared.name}`,
    kind: "swap",
    table: root,
    index: { schema: root.schema, name: replacementName(declared.name) },
    oid: resumed ? replacement.oid : undefined,
    name: declared.name,
    drops: { schema: found.schema, name: found.name, oid: found.oid },
    locks: lockable(tree),
    comment: found.comment,
    reason,
    after: build.map(({ id }) => id),
  };
  return [...before, ...build, swap];
}

/** A foreign table has no index, and a half detached one counts: with either the index never becomes valid. */
function isBroken(tree: IndexTree, index: TreeIndex): boolean {
  return !index.valid && !tree.pending && !tree.relations.some(({ relkind }) => relkind === "f");
}
