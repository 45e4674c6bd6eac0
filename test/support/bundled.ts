/**
 * Programs of tests as one file of JavaScript each. A test of kills starts a process for every place where one can end it:
 * loading the modules one by one, with TypeScript to be compiled, took ten times the processor time.
 */
import { basename, dirname, join } from "node:path";
import { buildSync } from "esbuild";
import { ownDirectory } from "./postgres";

const made = new Map<string, string>();

/** Where the program (TypeScript, with everything that it imports) is as one file, until the end of the test run. */
export function bundled(program: string): string {
  const known = made.get(program);
  if (known !== undefined) return known;
  const place = `${basename(dirname(program))}-${basename(program, ".ts")}.js`;
  const outfile = join(ownDirectory("programs.d"), place);
  buildSync({
    entryPoints: [program],
    outfile,
    bundle: true,
    platform: "node",
    format: "cjs",
    logLevel: "error",
  });
  made.set(program, outfile);
  return outfile;
}
