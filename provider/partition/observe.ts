/** A Partition as a set of one: its parent's key is only known from the catalog, and with it what its bound means. */
import { readSet } from "../../postgres/catalog";
import type { Session } from "../../postgres/connection";
import type { ActualParent, DesiredSet } from "../../topology/model";
import { type DeclaredPartition, setOfOne } from "../../topology/onePartition";
import type { ArchiveReading } from "../partitionSet/archive";
import { observe } from "../partitionSet/observe";
import { partitionByOf } from "../partitionSet/read";
import type { Properties } from "../values";
import { recordedSet } from "./state";

export interface SetOfOne {
  desired: DesiredSet;
  /** The checked inputs of the set. */
  inputs: Properties;
}

/** The parent as it is; undefined when there is none. */
export async function readParentOf(session: Session, declared: DeclaredPartition): Promise<ActualParent | undefined> {
  const { schema, table } = declared;
  return (await readSet(session, { schema, table, names: [], known: {} })).parent;
}

/** @throws with every reason when the bound does not fit the parent's key. */
export function asSet(declared: DeclaredPartition, parent: ActualParent): SetOfOne {
  const { desired, checked, failures } = setOfOne(declared, partitionByOf(parent));
  if (desired === undefined) {
    throw new Error(failures.map(({ property, reason }) => `${property}: ${reason}`).join("\n"));
  }
  return { desired, inputs: checked };
}

/** What a refresh or a preview sees; undefined when there is no parent. @throws IdentityMismatch before anything else. */
export async function observePartition(
  session: Session,
  declared: DeclaredPartition,
  olds: Properties,
  reading?: ArchiveReading,
) {
  const parent = await readParentOf(session, declared);
  if (parent === undefined) return undefined;
  const set = asSet(declared, parent);
  return { ...set, observation: await observe(session, set.desired, recordedSet(olds), reading) };
}

export function noParentText({ schema, table }: DeclaredPartition): string {
  return (
    `${schema}.${table} is no partitioned table, so that it can have no partition. It belongs to another stack: run that one ` +
    "first, or correct `schema` and `table`."
  );
}
