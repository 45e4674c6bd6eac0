/** Before a step runs, and after its locks are taken: is what it is about still what the plan was made for? */
import { parseBound } from "../topology/bounds";
import type { PartitionBound, RelationName } from "../topology/model";
import type { Step, StepMethod } from "../topology/steps";
import type { Session } from "./connection";
import { IdentityError } from "./errors";
import { qualified } from "./identifiers";

/** `reached`: the step's result is there already. `pending`: an interrupted detach is to be finished instead. */
export type Verdict = { kind: "go" } | { kind: "reached" } | { kind: "pending" } | { kind: "refused"; reason: string };

interface FoundRow extends Record<string, unknown> {
  oid: number;
  schema: string;
  name: string;
  is_partition: boolean;
  parent: number | null;
  pending: boolean;
  bound: string | null;
}

/** By OID and by name, without a function that waits for locks. */
const FIND = `
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relispartition AS is_partition,
  i.inhparent AS parent, coalesce(i.inhdetachpending, false) AS pending,
  pg_catalog.pg_get_expr(c.relpartbound, 0) AS bound
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
WHERE c.oid = $1 OR (n.nspname = $2 AND c.relname = $3)`;

/** @throws IdentityError when the parent is not the table that the plan was made for. */
export async function checkParent(session: Session, parent: RelationName & { oid: number }): Promise<void> {
  const rows = await session.query<FoundRow>(FIND, [parent.oid, parent.schema, parent.name]);
  const found = rows.find(({ schema, name }) => schema === parent.schema && name === parent.name);
  if (found?.oid === parent.oid) return;
  const now = found === undefined ? "does not exist" : `is another table (OID ${found.oid})`;
  throw new IdentityError(`${qualified(parent)} ${now}; the plan was made for OID ${parent.oid}. Nothing was done.`);
}

/** Looks at the relation of one step; `rootOid` is the set's own table, whose partitions most steps are about. */
export async function judge(session: Session, step: Step, rootOid: number): Promise<Verdict> {
  const parentOid = step.under?.oid ?? rootOid;
  const rows = await session.query<FoundRow>(FIND, [step.oid ?? 0, step.schema, step.partition]);
  const byName = rows.find(({ schema, name }) => schema === step.schema && name === step.partition);
  const byOid = step.oid === undefined ? byName : rows.find(({ oid }) => oid === step.oid);
  return JUDGES[step.method]?.({ step, parentOid, byName, byOid }) ?? refused(step, "is not judged by its name");
}

interface Evidence {
  step: Step;
  parentOid: number;
  byName: FoundRow | undefined;
  /** By the planned OID; without one, by name. */
  byOid: FoundRow | undefined;
}

const GO: Verdict = { kind: "go" };
const REACHED: Verdict = { kind: "reached" };

const JUDGES: Partial<Record<StepMethod, (evidence: Evidence) => Verdict>> = {
  partitionOf: judgeCreate,
  likeAttach: judgeCreate,
  attach: judgeAttach,
  detachAttach: judgeRebound,
  detachConcurrently: judgeDetach,
  detachPlain: judgeDetach,
  finalize: judgeFinalize,
  validate: judgeValidate,
  guard: ({ byName, parentOid, step }) =>
    byName?.parent === parentOid ? GO : refused(step, "is no longer the DEFAULT partition"),
  unguard: ({ byName }) => (byName === undefined ? REACHED : GO),
  prove: judgeRebound,
  unprove: judgeUnprove,
  rename: judgeRename,
  adjust: judgeAdjust,
  dropTable: judgeDrop,
  dropArchived: judgeDrop,
};

function judgeCreate({ step, parentOid, byName }: Evidence): Verdict {
  if (byName === undefined) return GO;
  if (isAttached(byName, parentOid, step.bound)) return REACHED;
  return refused(step, `is the name of another relation (OID ${byName.oid})`);
}

function judgeAttach(evidence: Evidence): Verdict {
  const { step, parentOid, byOid } = evidence;
  if (byOid === undefined) return vanished(evidence);
  if (isAttached(byOid, parentOid, step.bound)) return REACHED;
  if (byOid.parent !== null) return refused(step, `is attached or inherits already (parent OID ${byOid.parent})`);
  return sameName(step, byOid);
}

function judgeRebound(evidence: Evidence): Verdict {
  const { step, parentOid, byOid } = evidence;
  if (byOid === undefined) return vanished(evidence);
  if (isAttached(byOid, parentOid, step.bound)) return REACHED;
  if (byOid.parent !== parentOid) return refused(step, "is no longer attached");
  return sameName(step, byOid);
}

/** Whatever has become of its bound: the CHECK goes. */
function judgeUnprove({ step, byOid }: Evidence): Verdict {
  return byOid === undefined ? REACHED : sameName(step, byOid);
}

function judgeDetach(evidence: Evidence): Verdict {
  const { step, parentOid, byOid } = evidence;
  if (byOid === undefined || byOid.parent !== parentOid) return REACHED;
  return byOid.pending ? { kind: "pending" } : sameName(step, byOid);
}

function judgeFinalize(evidence: Evidence): Verdict {
  const { step, parentOid, byOid } = evidence;
  if (byOid === undefined || byOid.parent !== parentOid) return REACHED;
  return byOid.pending ? sameName(step, byOid) : refused(step, "is attached, and no detach is pending");
}

function judgeValidate(evidence: Evidence): Verdict {
  const { step, byOid } = evidence;
  if (byOid === undefined) return vanished(evidence);
  return byOid.is_partition ? refused(step, "is attached again") : sameName(step, byOid);
}

function judgeRename(evidence: Evidence): Verdict {
  const { step, byName, byOid } = evidence;
  if (byOid === undefined) return vanished(evidence);
  if (byOid.schema === step.schema && byOid.name === step.partition) return REACHED;
  if (byName !== undefined) return refused(step, `is the name of another relation (OID ${byName.oid})`);
  const unmoved = byOid.schema === step.current?.schema && byOid.name === step.current?.name;
  return unmoved ? GO : refused(step, `was to be the new name of OID ${byOid.oid}, which is now ${qualified(byOid)}`);
}

function judgeAdjust(evidence: Evidence): Verdict {
  const { step, byOid } = evidence;
  if (byOid === undefined) return vanished(evidence);
  return byOid.is_partition ? sameName(step, byOid) : refused(step, "is no longer attached");
}

/** Rows go only with exactly the table that was planned for, and only when it is nobody's partition. */
function judgeDrop({ step, byName, byOid }: Evidence): Verdict {
  if (step.oid === undefined) return refused(step, "has no recorded OID, and is not dropped by its name alone");
  if (byOid === undefined) {
    return byName === undefined ? REACHED : refused(step, `is another table (OID ${byName.oid}, not ${step.oid})`);
  }
  if (byOid.is_partition || byOid.parent !== null) return refused(step, "is attached again");
  return sameName(step, byOid);
}

function sameName(step: Step, found: FoundRow): Verdict {
  if (found.schema === step.schema && found.name === step.partition) return GO;
  return refused(step, `is the planned name of OID ${found.oid}, which is now ${qualified(found)}`);
}

function vanished({ step, byName }: Evidence): Verdict {
  const now = byName === undefined ? "does not exist any more" : `is another table (OID ${byName.oid})`;
  return refused(step, `${now}; the plan was made for OID ${step.oid}`);
}

function refused(step: Step, what: string): Verdict {
  const name = qualified({ schema: step.schema, name: step.partition });
  return { kind: "refused", reason: `${name} ${what}. It was left as it is; run again for a new plan.` };
}

function isAttached(found: FoundRow, parentOid: number, bound: PartitionBound | undefined): boolean {
  if (found.parent !== parentOid || found.pending || found.bound === null || bound === undefined) return false;
  return JSON.stringify(parseBound(found.bound)) === JSON.stringify(bound);
}
