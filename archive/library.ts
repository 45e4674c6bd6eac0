/** Libraries that only some archives need, and that may not be installed. */
import { ArchiveError } from "../postgres/errors";

/** `need`: who needs it, and that it is no dependency of everybody. Of Node.js's reason the first line: others list files. */
export function missingLibrary(need: string, name: string, error: unknown): ArchiveError {
  const [reason] = (error instanceof Error ? error.message : String(error)).split("\n", 1);
  return new ArchiveError(`${need}: npm install ${name} (${reason})`, { cause: error });
}
