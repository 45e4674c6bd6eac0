/** Whether a Parquet copy can hold what a plan is about to export, as far as the types of the columns say. */
import { parquetColumns } from "../../topology/parquet";
import { join } from "../../topology/policy/reader";
import type { Finding, Step } from "../../topology/steps";
import type { Session } from "../connection";
import { qualified } from "../identifiers";
import type { CatalogParent } from "../parent";
import { readTypedColumns } from "./table";

/** One finding for each column that has no place; then none of the exports can be done. */
export async function unparquetable(
  session: Session,
  steps: readonly Step[],
  { columns: mappings }: { columns: Record<string, string> },
  parent: CatalogParent,
): Promise<Finding[]> {
  if (steps.every(({ kind }) => kind !== "export")) return [];
  const { problems } = parquetColumns(await readTypedColumns(session, parent.oid), mappings);
  return problems.map(({ column, reason }) => ({
    severity: "error",
    path: join("archive.parquet.columns", column),
    relation: qualified(parent),
    reason: `Column ${column} ${reason}. Nothing is exported, and no partition is archived, as long as that is so.`,
  }));
}
