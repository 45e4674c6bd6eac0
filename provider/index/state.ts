/** What an Index keeps in Pulumi's state. Pure. */
import type { ServerFacts } from "../../postgres/server";
import { checkIndex } from "../../topology/index/check";
import { indexDifferences } from "../../topology/index/compare";
import type { IndexDeclaration, IndexStep, IndexTree, TreeIndex } from "../../topology/index/model";
import { type Identity, identityOf, idOfOutputs } from "../identity";
import type { Properties } from "../values";

/** Checked inputs without unknowns always have an index; a failure here is a Check that was skipped. */
export function declaredOf(checked: Properties): IndexDeclaration {
  const { index, failures } = checkIndex(checked);
  if (index === undefined) throw new Error(failures.map(({ property, reason }) => `${property}: ${reason}`).join("\n"));
  return index;
}

/** What is there, and what a plan would still do about it. */
export interface Seen {
  server: ServerFacts;
  table: number;
  index: TreeIndex;
  left: IndexStep[];
  wanted?: IndexTree["wanted"];
}

/**
 * `incomplete` names the partitions whose part is missing or not valid, `drift` the properties that are not as declared:
 * so Diff can show both without a database.
 */
export function outputsOf(inputs: Properties, { server, table, index, left, wanted }: Seen): Properties {
  const declared = declaredOf(inputs);
  const changed = wanted === undefined ? [] : indexDifferences(wanted, index);
  return {
    ...inputs,
    oid: index.oid,
    incomplete: changed.length > 0 ? {} : incompleteParts(left),
    drift: [...changed, ...(index.name === declared.name ? [] : ["name"])],
    identity: identityOf(server, table),
  };
}

const STATES: Partial<Record<IndexStep["kind"], string>> = {
  create: "missing",
  build: "missing",
  adopt: "not attached",
  rebuild: "not valid",
  move: "in another tablespace",
  place: "in another tablespace",
  swap: "not valid",
};

function incompleteParts(left: IndexStep[]): Record<string, string> {
  return Object.fromEntries(
    left.flatMap(({ kind, table }) => {
      const state = STATES[kind];
      return state === undefined ? [] : [[table.name, state]];
    }),
  );
}

/** Outputs that a preview promises. */
export function plannedOutputs(inputs: Properties, oid: unknown, identity: Identity | unknown): Properties {
  return { ...inputs, oid, incomplete: {}, drift: [], identity };
}

/** OID by which the state knows the index; proves nothing after a move to another cluster. */
export function recordedOid(olds: Properties, moved: boolean): number | undefined {
  return !moved && typeof olds.oid === "number" ? olds.oid : undefined;
}

export function idOf(outputs: Properties): string {
  return idOfOutputs(outputs, outputs.name);
}
