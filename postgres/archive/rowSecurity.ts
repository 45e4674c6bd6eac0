/** Row security hides rows from who reads a table, and an archive must have them all. */
import type { RelationName } from "../../topology/model";
import type { Session } from "../connection";
import { ArchiveError } from "../errors";
import { qualified } from "../identifiers";

const APPLIES = `
WITH RECURSIVE tree AS (
  SELECT $1::oid AS oid UNION ALL
  SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid WHERE $2
)
SELECT EXISTS (SELECT FROM tree WHERE pg_catalog.row_security_active(tree.oid)) AS applies`;

/**
 * COPY would fail in any case (42501, as `row_security` is off), but in the middle of the work and without telling why.
 * @throws ArchiveError when policies of the table, or (unless `alone`) of one below it, apply to the role of this session.
 */
export async function refuseRowSecurity(
  session: Session,
  table: RelationName & { oid: number },
  alone = false,
): Promise<void> {
  const [row] = await session.query<{ applies: boolean }>(APPLIES, [table.oid, !alone]);
  if (!row?.applies) return;
  throw new ArchiveError(
    `Row security applies to the role of this session on ${qualified(table)} or below it, so that an archive might lack` +
      " rows: connect as the owner or a role with BYPASSRLS, or ALTER TABLE … NO FORCE ROW LEVEL SECURITY (the parent" +
      " and its partitions).",
  );
}
