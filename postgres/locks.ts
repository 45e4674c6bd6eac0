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
  | "commentOnChild"
  | "dropForeignKey"
  | "dropTable";

/** The relations that a statement can touch, as seen from the child it is about. */
type Part =
  | "parent"
  | "ancestors"
  | "child"
  | "descendants"
  | "default"
  | "references"
  | "referencedBy"
  | "ancestorsWhenReferenced";

interface Rule {
  mode: LockMode;
  /** Mode on PostgreSQL 14, where it is another. */
  on14?: LockMode;
  hold?: Lock["hold"];
}

const AS: Rule = { mode: "ACCESS SHARE" };
const SUE: Rule = { mode: "SHARE UPDATE EXCLUSIVE" };
const SRE: Rule = { mode: "SHARE ROW EXCLUSIVE" };
const AEL: Rule = { mode: "ACCESS EXCLUSIVE" };
const SRE_FROM_15: Rule = { ...SRE, on14: "ACCESS SHARE" };
const SCAN_OF_DEFAULT: Rule = { ...AEL, hold: "scan" };

const RULES: Record<LockingStatement, Partial<Record<Part, Rule>>> = {
  partitionOf: { parent: AEL, child: AEL, default: SCAN_OF_DEFAULT, references: SRE, referencedBy: SRE_FROM_15 },
  like: { parent: AS, child: AEL },
  attach: {
    parent: SUE,
    ancestors: AS,
    child: AEL,
    descendants: AEL,
    default: SCAN_OF_DEFAULT,
    references: SRE,
    referencedBy: SRE_FROM_15,
  },
  detach: {
    parent: AEL,
    ancestorsWhenReferenced: AS,
    child: AEL,
    descendants: AEL,
    default: AEL,
    references: SRE,
    referencedBy: AEL,
  },
  detachConcurrently: { parent: SUE, child: AEL, descendants: AEL, references: SRE, referencedBy: AEL },
  finalize: { parent: SUE, child: AEL, descendants: AEL, references: SRE, referencedBy: AEL },
  addGuard: { child: AEL, descendants: AEL },
  validateGuard: { child: { ...SUE, hold: "scan" }, descendants: { ...SUE, hold: "scan" } },
  alterChild: { child: AEL },
  commentOnChild: { child: SUE },
  dropForeignKey: { child: AEL, descendants: AEL, references: AEL },
  dropTable: { child: AEL, descendants: AEL },
};

/** What is not the parent's: the child, and how its lock is held. */
export interface LockTarget {
  child: RelationName;
  descendants?: RelationName[];
  /** Instead of the parent's, for statements about one foreign key. */
  references?: RelationName[];
  /** Referenced tables whose foreign key the child has already: ATTACH merges the two under ACCESS EXCLUSIVE. */
  mergedReferences?: RelationName[];
  /** True when nothing of DEFAULT is read: a validated CHECK proves that no row of it belongs to the child. */
  defaultProven?: boolean;
  /** How long the lock on the child is held; default: `instant`. */
  childHold?: Lock["hold"];
}

/** The locks of a statement, in the order in which they are listed to people. */
export function locksOf(statement: LockingStatement, parent: ParentFacts, target: LockTarget): Lock[] {
  const isDefault = (relation: RelationName) => qualified(relation) === qualified(target.child);
  const defaults = parent.defaultPartition ? [parent.defaultPartition, ...parent.defaultDescendants] : [];
  const relations: Record<Part, RelationName[]> = {
    parent: [parent],
    ancestors: parent.ancestors,
    ancestorsWhenReferenced: parent.referencedBy.length > 0 ? parent.ancestors : [],
    child: [target.child],
    descendants: target.descendants ?? [],
    default: defaults.some(isDefault) ? [] : defaults,
    references: target.references ?? parent.references,
    referencedBy: parent.referencedBy,
  };
  const rules = Object.entries(RULES[statement]) as [Part, Rule][];
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

function holdOf(part: Part, rule: Rule, target: LockTarget): Lock["hold"] {
  if (part === "default" && target.defaultProven) return "instant";
  if (part === "child" && target.childHold) return target.childHold;
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
