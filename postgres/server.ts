/** Which cluster and database a session is in. */
import type { Session } from "./connection";
import { hasSqlstate, SQLSTATE } from "./errors";

/** Identity and version of the server behind a session. */
export interface ServerFacts {
  /** server_version_num, such as 180004. */
  versionNumber: number;
  major: number;
  /** Made by initdb and kept for ever, by replicas and file-level copies as well; undefined when this role may not read it. */
  systemIdentifier?: string;
  database: string;
  databaseOid: number;
  /** A standby, which takes no changes. */
  inRecovery: boolean;
  /** `default_transaction_read_only`: somebody wants this role, database or server left as it is. */
  readOnly: boolean;
  /** The role that statements run as. */
  role: string;
  /** Sentences about what could not be read, and why. */
  warnings: string[];
}

interface ServerRow extends Record<string, unknown> {
  version: string;
  database: string;
  oid: number;
  recovery: boolean;
  read_only: boolean;
  role: string;
}

/** Reads the server's identity. Takes no lock that anybody could be holding. */
export async function readServer(session: Session): Promise<ServerFacts> {
  const [row] = await session.query<ServerRow>(
    `SELECT pg_catalog.current_setting('server_version_num') AS version, pg_catalog.current_database()::text AS database,
       (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AS oid,
       pg_catalog.pg_is_in_recovery() AS recovery,
       pg_catalog.current_setting('default_transaction_read_only')::boolean AS read_only, current_user::text AS role`,
  );
  if (row === undefined) throw new Error("The server did not say who it is.");
  const identity = await systemIdentifier(session);
  return {
    versionNumber: Number(row.version),
    major: Math.floor(Number(row.version) / 10_000),
    systemIdentifier: identity,
    database: row.database,
    databaseOid: row.oid,
    inRecovery: row.recovery,
    readOnly: row.read_only,
    role: row.role,
    warnings: identity === undefined ? [NOT_GRANTED] : [],
  };
}

/** Stands for a system identifier that the role may not read. */
export const UNREADABLE = "unreadable";

const NOT_GRANTED =
  "This role may not execute pg_control_system(), so that another cluster with the same database could not be told from" +
  " the recorded one; grant it with: GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system() TO <role>.";

async function systemIdentifier(session: Session): Promise<string | undefined> {
  try {
    const [row] = await session.query<{ identifier: string }>(
      "SELECT system_identifier::text AS identifier FROM pg_catalog.pg_control_system()",
    );
    return row?.identifier;
  } catch (error) {
    if (hasSqlstate(error, SQLSTATE.insufficientPrivilege)) return undefined;
    throw error;
  }
}
