/**
 * Rows that the server itself writes into S3, by the extension aws_s3 of Amazon RDS and Aurora. What is relied on, and where
 * AWS documents it ("Exporting data from an RDS for PostgreSQL DB instance to Amazon S3" and "Function reference", Amazon RDS
 * User Guide, postgresql-s3-export.html and postgresql-s3-export-functions.html; the same pages of the Aurora User Guide):
 *
 * - the function, the names of its arguments and what it returns; options are those of COPY;
 * - an object that is there is overwritten; above some 6 GB there are more objects, `<file_path>_part2`, `_part3` and so on.
 *
 * Nothing of it is taken on trust: what counts is what the store gives afterwards.
 */
import type { ServerSideTarget } from "../../topology/archive";
import type { Finding, Step } from "../../topology/steps";
import type { Session } from "../connection";
import { ArchiveError, explainError, hasSqlstate, SQLSTATE } from "../errors";
import { isSessionLost } from "../failures";
import { quoteLiteral } from "../identifiers";
import { type Blocks, COPYING, type RowsTable, selectRows } from "./rows";

/** What the function says that it has done. */
export interface ServerSideExport {
  rows: number;
  files: number;
  bytes: number;
}

interface ExportRow extends Record<string, unknown> {
  rows: string;
  files: string;
  bytes: string;
}

/** The names of the objects that a path stands for, in their order. */
export function filesOf(path: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => (at === 0 ? path : `${path}_part${at + 1}`));
}

/** Writes nothing into the database. Takes ACCESS SHARE on the table until its rows are in the bucket. */
export function exportCall(
  table: RowsTable,
  { bucket, prefix, region, kmsKeyId }: ServerSideTarget,
  key: string,
  blocks?: Blocks,
): string {
  const given: [string, string | undefined][] = [
    ["query", selectRows(table, blocks)],
    ["bucket", bucket],
    ["file_path", prefix === "" ? key : `${prefix}/${key}`],
    ["region", region],
    // COPY's default format, in the encoding of the archive, so that a row has the same bytes as over the connection.
    ["options", `format text, encoding ${quoteLiteral(table.encoding)}`],
    ["kms_key", kmsKeyId],
  ];
  const list = given.flatMap(([name, value]) => (value === undefined ? [] : [`${name} => ${quoteLiteral(value)}`]));
  const columns = "rows_uploaded::text AS rows, files_uploaded::text AS files, bytes_uploaded::text AS bytes";
  return `SELECT ${columns} FROM aws_s3.query_export_to_s3(${list.join(", ")})`;
}

/** @throws ArchiveError with what to do when the extension refuses; what a lost session throws otherwise. */
export async function exportToS3(
  session: Session,
  table: RowsTable,
  target: ServerSideTarget,
  key: string,
  blocks: Blocks,
): Promise<ServerSideExport> {
  try {
    const [row] = await session.transaction(async () => {
      await session.query(COPYING);
      return session.query<ExportRow>(exportCall(table, target, key, blocks));
    });
    return { rows: Number(row?.rows), files: Number(row?.files), bytes: Number(row?.bytes) };
  } catch (error) {
    if (isSessionLost(error) || hasSqlstate(error, SQLSTATE.queryCanceled)) throw error;
    const what = `${target.extension} did not write rows into s3://${target.bucket}: ${explainError(error)}`;
    throw new ArchiveError(`${what}. ${adviceFor(error)}`, { cause: error });
  }
}

const ROLE =
  "Check the role that the server has for the feature s3Export (s3:PutObject and s3:AbortMultipartUpload on the bucket, and its " +
  "KMS key), the policy of the bucket (serverSideWriters of ArchiveBucket), that bucket and server are in one region, and that " +
  "the server reaches S3. Without archive.serverSideExport rows go over this connection";

function adviceFor(error: unknown): string {
  if (hasSqlstate(error, SQLSTATE.insufficientPrivilege)) return `${GRANT}.`;
  const absent = hasSqlstate(error, SQLSTATE.undefinedFunction, SQLSTATE.invalidSchemaName);
  return `${absent ? INSTALL : ROLE}.`;
}

const WITHOUT = "or leave archive.serverSideExport out, and rows go over the connection";
const INSTALL = `Have a role with rds_superuser run CREATE EXTENSION aws_s3 CASCADE, ${WITHOUT}`;
const GRANT =
  "Have the owner of the extension run GRANT USAGE ON SCHEMA aws_s3 and GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA aws_s3 to " +
  `this role, which must also be able to read the table without row security, ${WITHOUT}`;
const UPDATE = `Run ALTER EXTENSION aws_s3 UPDATE, or leave archive.kmsKeyId out, ${WITHOUT}`;

interface FunctionRow extends Record<string, unknown> {
  usable: boolean;
  keyed: boolean;
}

const FUNCTIONS = `
SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE') AS usable,
  'kms_key' = ANY (p.proargnames) AS keyed
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'aws_s3' AND p.proname = 'query_export_to_s3'
  AND p.proargnames @> ARRAY['query', 'bucket', 'file_path', 'region', 'options']`;

/** Why the server cannot write the rows of what a plan is about to export, as far as its catalog says; then none can be. */
export async function serverSideRefusals(session: Session, steps: readonly Step[]): Promise<Finding[]> {
  const target = steps.find(({ serverSide }) => serverSide !== undefined)?.serverSide;
  if (target === undefined) return [];
  const found = await session.query<FunctionRow>(FUNCTIONS);
  const path = "archive.serverSideExport";
  const refused = (reason: string): Finding[] => [
    {
      severity: "error",
      path,
      reason: `${reason}. Nothing is exported, and no partition is archived, as long as that is so.`,
    },
  ];
  if (found.length === 0)
    return refused(
      `This database has no function aws_s3.query_export_to_s3, by which the server writes to S3. ${INSTALL}`,
    );
  const usable = found.filter((one) => one.usable);
  if (usable.length === 0) return refused(`This role may not call aws_s3.query_export_to_s3 (42501). ${GRANT}`);
  if (target.kmsKeyId !== undefined && usable.every(({ keyed }) => !keyed))
    return refused(`This version of the extension aws_s3 takes no KMS key, and archive.kmsKeyId names one. ${UPDATE}`);
  return [];
}
