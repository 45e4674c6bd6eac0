/** Which relation locks each statement takes, as measured on PostgreSQL 14 to 18; locks on indexes are left out. */
import type { RelationName } from "../topology/model";
import { qualified } from "./identifiers";
import type { ParentFacts } from "./parent";
import { LOCK_MODES, type Lock, type LockMode } from "./statement";

/** Statements about one child of a partitioned table. */
export type LockingStatement =
  | "partitionOf"
  | "like"
  | "attach"
  | "detach"
  | "detachConcurrently"
  | "finalize"
  | "addGuard"
  | "validateGuard"
  | "alterChild"
  | "maintainChild"
  | "triggerOnChild"
  | "grantOnChild"
  | "statisticsOfChild"
  | "rewriteChild"
  | "addForeignKey"
  | "validateForeignKey"
  | "dropForeignKey"
  | "dropTable";

/** The relations that a statement can touch, as seen from the child it is about. */
type Part =
  | "parent"
  | "ancestors"
  | "child"
  | "descendants"
  | "default"
  | "defaultDescendants"
  | "references"
  | "referenced"
  | "ancestorsOfReferenced"
  | "referencesOfDetached"
  | "referencesParted"
  | "referencedBy"
  | "partitionsOfReferencing"
  | "ancestorsWhenReferenced"
  | "itself"
  | "parentWhenItself";

interface Rule {
  mode: LockMode;
  /** Mode on PostgreSQL 14, where it is another. */
  on14?: LockMode;
  /** First major version that takes it at all. */
  since?: number;
  /** Last major version that takes it. */
  until?: number;
  hold?: Lock["hold"];
}

const AS: Rule = { mode: "ACCESS SHARE" };
const SUE: Rule = { mode: "SHARE UPDATE EXCLUSIVE" };
const SRE: Rule = { mode: "SHARE ROW EXCLUSIVE" };
const AEL: Rule = { mode: "ACCESS EXCLUSIVE" };
const SRE_FROM_15: Rule = { ...SRE, on14: "ACCESS SHARE" };
const SRE_ON_14: Rule = { ...SRE, until: 14 };
const SCAN_OF_DEFAULT: Rule = { ...AEL, hold: "scan" };

const FINALIZE: Partial<Record<Part, Rule>> = {
  parent: SUE,
  child: AEL,
  descendants: AEL,
  referencesOfDetached: SRE,
  referencesParted: SRE_ON_14,
  referencedBy: AEL,
  itself: { ...SRE, since: 15 },
  parentWhenItself: AEL,
};

const RULES: Record<LockingStatement, Partial<Record<Part, Rule>>> = {
  partitionOf: {
    parent: AEL,
    child: AEL,
    default: SCAN_OF_DEFAULT,
    defaultDescendants: SCAN_OF_DEFAULT,
    references: SRE,
    referencedBy: SRE_FROM_15,
    itself: SRE,
  },
  like: { parent: AS, child: AEL },
  attach: {
    parent: SUE,
    ancestors: AS,
    child: AEL,
    descendants: AEL,
    default: SCAN_OF_DEFAULT,
    defaultDescendants: SCAN_OF_DEFAULT,
    references: SRE,
    referencedBy: SRE_FROM_15,
    itself: SRE,
  },
  detach: {
    parent: AEL,
    ancestorsWhenReferenced: AS,
    child: AEL,
    descendants: AEL,
    default: AEL,
    referencesOfDetached: SRE,
    referencesParted: SRE_ON_14,
    referencedBy: AEL,
    partitionsOfReferencing: AS,
    itself: { ...SRE, on14: "ACCESS SHARE" },
  },
  detachConcurrently: {
    ...FINALIZE,
    ancestors: AS,
    partitionsOfReferencing: AS,
    itself: { ...SRE, on14: "ACCESS SHARE" },
  },
  finalize: FINALIZE,
  addGuard: { child: AEL, descendants: AEL },
  validateGuard: { child: { ...SUE, hold: "scan" }, descendants: { ...SUE, hold: "scan" } },
  alterChild: { child: AEL },
  maintainChild: { child: SUE },
  triggerOnChild: { child: SRE },
  grantOnChild: { child: { ...AS, since: 18 } },
  statisticsOfChild: {},
  rewriteChild: { child: { ...AEL, hold: "rewrite" } },
  addForeignKey: { child: SRE, references: SRE },
  validateForeignKey: {
    child: { ...SUE, hold: "scan" },
    references: AS,
    referenced: { mode: "ROW SHARE" },
    ancestorsOfReferenced: AS,
  },
  dropForeignKey: { child: AEL, descendants: AEL, references: AEL },
  dropTable: { child: AEL, descendants: AEL },
};

/** What is not the parent's: the child, and how its lock is held. */
export interface LockTarget {
  child: RelationName;
  descendants?: RelationName[];
  /** Instead of the parent's, for statements about one foreign key. */
  references?: RelationName[];
  /** Referenced tables of the foreign keys that a child keeps where PostgreSQL drops others. */
  keptReferences?: RelationName[];
  /** Partitions of tables that keys of the child's own lead to: PostgreSQL 14 makes a key of each of them at the detach. */
  partedReferences?: RelationName[];
  /** Referenced tables whose foreign key the child has already: ATTACH merges the two under ACCESS EXCLUSIVE. */
  mergedReferences?: RelationName[];
  /** True when nothing of DEFAULT is read: a validated CHECK proves that no row of it belongs to the child. */
  defaultProven?: boolean;
  /** How long the lock on the child is held; default: `instant`. */
  childHold?: Lock["hold"];
}

/** The locks of a statement, in the order in which they are listed to people. */
export function locksOf(statement: LockingStatement, parent: ParentFacts, target: LockTarget): Lock[] {
  const fallback = parent.defaultPartition;
  const { itself = [] } = parent;
  const others = fallback === undefined || qualified(fallback) === qualified(target.child) ? undefined : fallback;
  const relations: Record<Part, RelationName[]> = {
    parent: [parent],
    ancestors: parent.ancestors,
    ancestorsWhenReferenced: parent.referencedBy.length > 0 || itself.length > 0 ? parent.ancestors : [],
    itself,
    parentWhenItself: itself.length > 0 ? [parent] : [],
    child: [target.child],
    descendants: target.descendants ?? [],
    default: others ? [others] : [],
    defaultDescendants: others ? parent.defaultDescendants : [],
    references: target.references ?? parent.references,
    referenced: target.references?.slice(0, 1) ?? [],
    ancestorsOfReferenced: above(target.references?.[0], [parent, ...parent.ancestors]),
    referencesOfDetached: losesForeignKeys(parent) ? (target.keptReferences ?? []) : parent.references,
    referencesParted: target.partedReferences ?? [],
    referencedBy: parent.referencedBy,
    partitionsOfReferencing: parent.partitionsOfReferencing ?? [],
  };
  const rules = (Object.entries(RULES[statement]) as [Part, Rule][]).filter(
    ([, { since = 0, until = parent.major }]) => since <= parent.major && parent.major <= until,
  );
  const locks = rules.flatMap(([part, rule]) =>
    relations[part].map((relation): Lock => {
      const mode = parent.major < 15 ? (rule.on14 ?? rule.mode) : rule.mode;
      return { relation: qualified(relation), mode, hold: holdOf(part, rule, target) };
    }),
  );
  const merged = (target.mergedReferences ?? []).map(
    (relation): Lock => ({ relation: qualified(relation), mode: "ACCESS EXCLUSIVE", hold: "instant" }),
  );
  return strongest([...locks, ...merged]);
}

/** PostgreSQL 14 drops the foreign keys to partitioned tables of a partition that is detached. */
export function losesForeignKeys({
  major,
  referencesPartitioned,
}: Pick<ParentFacts, "major" | "referencesPartitioned">): boolean {
  return major < 15 && referencesPartitioned === true;
}

/** Tables above the one that a key of the tree on itself leads to. */
function above(referenced: RelationName | undefined, chain: RelationName[]): RelationName[] {
  const at = chain.findIndex((one) => referenced !== undefined && qualified(one) === qualified(referenced));
  return at < 0 ? [] : chain.slice(at + 1);
}

function holdOf(part: Part, rule: Rule, target: LockTarget): Lock["hold"] {
  if (part.startsWith("default") && target.defaultProven) return "instant";
  if ((part === "child" || part === "descendants") && target.childHold) return target.childHold;
  return rule.hold ?? "instant";
}

/** One lock for each relation: a table can be there in two parts, as with a foreign key on itself. */
export function strongest(locks: Lock[]): Lock[] {
  const byRelation = new Map<string, Lock>();
  for (const lock of locks) {
    const known = byRelation.get(lock.relation);
    if (!known || LOCK_MODES.indexOf(lock.mode) > LOCK_MODES.indexOf(known.mode)) byRelation.set(lock.relation, lock);
  }
  return [...byRelation.values()];
}

/** The conflict table of the documentation (13.2): what a lock keeps out, and behind what it has to wait. */
const CONFLICTS: Record<LockMode, LockMode[]> = {
  "ACCESS SHARE": ["ACCESS EXCLUSIVE"],
  "ROW SHARE": ["EXCLUSIVE", "ACCESS EXCLUSIVE"],
  "ROW EXCLUSIVE": ["SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"],
  "SHARE UPDATE EXCLUSIVE": ["SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"],
  SHARE: ["ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"],
  "SHARE ROW EXCLUSIVE": [
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
  ],
  EXCLUSIVE: LOCK_MODES.filter((mode) => mode !== "ACCESS SHARE"),
  "ACCESS EXCLUSIVE": [...LOCK_MODES],
};

export function conflicts(wanted: LockMode, held: LockMode): boolean {
  return CONFLICTS[wanted].includes(held);
}

/** Whom a lock keeps waiting: plain SELECT, INSERT/UPDATE/DELETE, schema changes and maintenance. */
export function blocks(mode: LockMode): { reads: boolean; writes: boolean; ddl: boolean } {
  return {
    reads: conflicts(mode, "ACCESS SHARE"),
    writes: conflicts(mode, "ROW EXCLUSIVE"),
    ddl: conflicts(mode, "SHARE UPDATE EXCLUSIVE"),
  };
}
