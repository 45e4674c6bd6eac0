/**
 * Reads the statements that a server was sent from its own log. With the log on standard error, a session writes a
 * statement to the file before it executes it: whatever has been answered is in the file.
 */
import { open, stat } from "node:fs/promises";

/** A statement as the server received it. */
export interface LoggedStatement {
  sql: string;
  /** "$1 = 'a', $2 = NULL"; absent for a statement without parameters. */
  parameters?: string;
  applicationName: string;
  /** Process id of the session. */
  pid: number;
}

// Control characters that neither names nor statements hold, so that records can be told apart.
const RECORD = "\x1e";
const FIELD = "\x1f";

/** The setting `log_line_prefix` that this reader understands. */
export const LOG_LINE_PREFIX = `${RECORD}%d${FIELD}%a${FIELD}%p${FIELD}`;

/** Size of a log file in bytes: where the next record begins. */
export async function logSize(file: string): Promise<number> {
  return (await stat(file)).size;
}

/** The statements of sessions in one database that are logged behind a position in the file. */
export async function readStatements(file: string, start: number, database: string): Promise<LoggedStatement[]> {
  const statements: LoggedStatement[] = [];
  for (const record of (await readFrom(file, start)).split(RECORD).slice(1)) {
    const [recordDatabase, applicationName = "", pid = "", ...rest] = record.split(FIELD);
    if (recordDatabase === database) {
      addRecord(statements, { applicationName, pid: Number(pid) }, unfold(rest.join(FIELD)));
    }
  }
  return statements;
}

/** The server puts a tab at the beginning of every further line of a message. */
function unfold(message: string): string {
  return message.replace(/\n$/, "").replaceAll("\n\t", "\n");
}

const STATEMENT = /^LOG: {2}(?:statement|execute [^:]*): (.*)$/s;
const PARAMETERS = /^DETAIL: {2}[Pp]arameters: (.*)$/s;

function addRecord(
  statements: LoggedStatement[],
  session: Pick<LoggedStatement, "applicationName" | "pid">,
  message: string,
): void {
  const sql = STATEMENT.exec(message)?.[1];
  if (sql !== undefined) {
    statements.push({ sql, ...session });
    return;
  }
  const parameters = PARAMETERS.exec(message)?.[1];
  const owner = statements.findLast(({ pid }) => pid === session.pid);
  if (parameters !== undefined && owner !== undefined) {
    owner.parameters = parameters;
  }
}

async function readFrom(file: string, start: number): Promise<string> {
  const handle = await open(file, "r");
  try {
    const { size } = await handle.stat();
    const buffer = Buffer.alloc(Math.max(0, size - start));
    await handle.read(buffer, 0, buffer.length, Math.min(start, size));
    return buffer.toString("utf8");
  } finally {
    await handle.close();
  }
}
