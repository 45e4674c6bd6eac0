/** What a Table keeps in Pulumi's state. Pure. */

import type { ServerFacts } from "../../postgres/server";
import type { Difference } from "../../postgres/table/difference";
import type { DeclaredTable } from "../../topology/table/model";
import { checkTable } from "../../topology/table/validate";
import { identityOf, idOfOutputs } from "../identity";
import type { Properties } from "../values";

/** Checked inputs without unknowns always have a table; a failure here is a Check that was skipped. */
export function declaredOf(checked: Properties): DeclaredTable {
  const { table, failures } = checkTable(checked);
  if (table === undefined) throw new Error(failures.map(({ property, reason }) => `${property}: ${reason}`).join("\n"));
  return table;
}

/** `drift` holds the differences that were left, so that Diff can show them without a database. */
export function outputsOf(inputs: Properties, server: ServerFacts, oid: number, left: Difference[]): Properties {
  return {
    ...inputs,
    identity: identityOf(server, oid),
    drift: left.map(({ path, declared, actual }) => ({ path, declared, actual })),
  };
}

export function idOf(outputs: Properties): string {
  return idOfOutputs(outputs, outputs.name);
}

/**
 * The inputs to record after an update that has not removed everything: with what is still there of the former ones, so
 * that the next update knows that it was declared.
 */
export function inputsLeft(
  { news, oldInputs = {} }: { news: Properties; oldInputs?: Properties },
  left: readonly Difference[],
): Properties {
  const inputs = { ...news };
  for (const { former } of left) {
    if (former === undefined) continue;
    const { property, position } = former;
    const before = oldInputs[property];
    if (!Array.isArray(before)) inputs[property] = before;
    else inputs[property] = [...(Array.isArray(inputs[property]) ? inputs[property] : []), before[position]];
  }
  return inputs;
}
