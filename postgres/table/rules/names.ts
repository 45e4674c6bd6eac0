/** Names for constraints that are declared without one. Pure. */
import { nameWithSuffix } from "../../identifiers";
import type { Context } from "./context";

/** The name itself, or with the first number that makes it free on the table and on its partitions. */
export function freeName(name: string, { actual, facts }: Context): string {
  const tables = [actual, ...facts.constraints.values()];
  const taken = new Set(
    tables.flatMap(({ primaryKey, unique, checks, foreignKeys }) =>
      [...(primaryKey === undefined ? [] : [primaryKey]), ...unique, ...checks, ...foreignKeys].map((one) => one.name),
    ),
  );
  for (let number = 0; ; number += 1) {
    const candidate = nameWithSuffix(name, number === 0 ? "" : String(number));
    if (!taken.has(candidate)) return candidate;
  }
}
