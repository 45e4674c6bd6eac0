/** The development environment in the notation of a POSIX shell. */
import { delimiter } from "node:path";

/** One `export` line a variable; PATH is put in front of the one that the shell has. */
export function toShell(environment: { variables: Record<string, string>; path: readonly string[] }): string {
  const lines = Object.entries(environment.variables).map(([name, value]) => `export ${name}=${quote(value)}`);
  const path = `export PATH=${quote(environment.path.join(delimiter))}${delimiter}"$PATH"`;
  return [...lines, path, ""].join("\n");
}

function quote(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}
