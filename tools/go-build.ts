/**
 * Programs built from Go modules, for machines that reach a Go module proxy but not the vendor's download host. The
 * module files in `tools/toolchain` pin everything; the environment's GOFLAGS, GOPROXY and GOTOOLCHAIN stay as they are.
 */
import { join, resolve } from "node:path";
import { findExecutable } from "./executables";
import { type Log, run, withProgress } from "./processes";

/** A program and how it is built. */
export interface GoBuild {
  /** Folder below `tools/toolchain` that pins its modules. */
  module: string;
  /** What it is called in messages. */
  title: string;
  program: string;
  package: string;
  flags: readonly string[];
}

const TOOLCHAIN = resolve(__dirname, "toolchain");

/** Puts the programs into `<scratch>/bin`, one after the other. */
export async function buildFromGoModules(scratch: string, builds: readonly GoBuild[], log: Log): Promise<void> {
  if (findExecutable("go") === undefined) throw new Error("Go is not on PATH");
  for (const build of builds) {
    const output = join(scratch, "bin", build.program);
    const args = ["build", "-trimpath", ...build.flags, "-o", output, build.package];
    await withProgress(log, `Building ${build.title}`, () =>
      run("go", args, { cwd: join(TOOLCHAIN, build.module), env: { ...process.env, CGO_ENABLED: "0" } }),
    );
  }
}
