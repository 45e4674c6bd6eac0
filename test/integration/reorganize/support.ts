/** Tables whose rows change partitions, and the step that does it. */
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import type { PartitionBound, Reorganization } from "../../../topology/model";
import type { ReorganizationMethod, Step } from "../../../topology/steps";
import { oidOf, read, step } from "../postgres/support";

/** The partitions of `s.p` of these names become others. */
export async function reorganizing(
  sessions: Sessions,
  method: ReorganizationMethod,
  from: string[],
  to: Record<string, PartitionBound>,
): Promise<Step> {
  const { children } = await read(sessions);
  const sources = from.map((name) => {
    const child = children.find((one) => one.name === name);
    if (child === undefined) throw new Error(`${name} is no partition`);
    const { oid, schema, bound } = child;
    return { oid, schema, name, bound };
  });
  return stepOf(method, { sources, targets: Object.entries(to).map(([name, bound]) => ({ name, bound })) });
}

export function stepOf(method: ReorganizationMethod, reorganization: Reorganization): Step {
  const first = reorganization.targets[0]?.name ?? "";
  return step(method, first, { reorganization, effect: { data: "moves" } });
}

/** Number and content of the rows of a table. */
export async function contentOf(client: Client, table: string, columns = "*"): Promise<string> {
  const { rows } = await client.query<{ content: string }>(
    `SELECT count(*) || ' ' || coalesce(md5(string_agg(r::text, '|' ORDER BY r::text)), '') AS content
     FROM (SELECT ${columns} FROM ${table}) r`,
  );
  return rows[0]?.content ?? "";
}

/** Everything in schema `s` that a reorganization may leave behind, by name. */
export async function leftovers(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname::text AS name FROM pg_class WHERE relname LIKE 'pgpartition%'
     UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE 'pgpartition%'
     UNION ALL SELECT tgname FROM pg_trigger WHERE tgname LIKE '%pgpartition%'
     UNION ALL SELECT conname FROM pg_constraint WHERE conname LIKE 'pgpartition%' ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

export { oidOf };
