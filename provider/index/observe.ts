/** What an Index is about: its table, by what right it may be worked on, and the plan for what is there. */

import { findParent } from "../../postgres/catalog/parent";
import type { Session } from "../../postgres/connection";
import { explainError } from "../../postgres/errors";
import { readIndexTree } from "../../postgres/index/read";
import { readServer, type ServerFacts } from "../../postgres/server";
import type { IndexDeclaration, IndexPlan, IndexTree } from "../../topology/index/model";
import { planIndex } from "../../topology/index/plan";
import { foundIdentity, recordedIdentity, requireIdentity } from "../identity";
import type { Properties } from "../values";
import { declaredOf, recordedOid } from "./state";

export interface Target {
  declared: IndexDeclaration;
  server: ServerFacts;
  /** OID of the table; undefined when there is none. */
  table?: number;
  /** OID by which the state knows the index. */
  recorded?: number;
}

/** @throws IdentityMismatch before anything else when the state belongs to another cluster, database or table. */
export async function findTarget(session: Session, inputs: Properties, olds: Properties): Promise<Target> {
  const declared = declaredOf(inputs);
  const server = await readServer(session);
  const table = await findParent(session, { schema: declared.schema, name: declared.table });
  const relation = `${declared.schema}.${declared.table}`;
  const moved = requireIdentity(recordedIdentity(olds), foundIdentity(server, table), olds.acceptIdentity, relation);
  return { declared, server, table, recorded: recordedOid(olds, moved) };
}

export interface Observation {
  tree: IndexTree;
  plan: IndexPlan;
}

/** @throws with PostgreSQL's reason when it does not take the declaration. */
export async function observe(session: Session, target: Target & { table: number }): Promise<Observation> {
  const { declared, table, recorded } = target;
  try {
    const tree = await readIndexTree(session, declared, table);
    return { tree, plan: planIndex(declared, tree, recorded) };
  } catch (error) {
    throw new Error(
      `The index ${declared.name} on ${declared.schema}.${declared.table} cannot be planned: ${explainError(error)}.`,
      { cause: error },
    );
  }
}

export function noTableText({ schema, table }: IndexDeclaration): string {
  return (
    `${schema}.${table} is no partitioned table. Declare it (Table or PartitionedTable) and pass its name on as an output, ` +
    "or run the migration that makes it first."
  );
}
