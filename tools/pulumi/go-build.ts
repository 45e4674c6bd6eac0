/**
 * The engine built from Go modules, for machines that reach a Go module proxy but not the vendor's download host. The
 * module files in `tools/toolchain` pin everything; the environment's GOFLAGS, GOPROXY and GOTOOLCHAIN stay as they are.
 */
import { join, resolve } from "node:path";
import { type Log, run, withProgress } from "../processes";
import { findExecutable } from "./installed";

interface Build {
  /** Folder below `tools/toolchain` and what it is called in messages. */
  module: string;
  title: string;
  program: string;
  package: string;
  flags: (version: string) => string[];
}

const BUILDS: readonly Build[] = [
  {
    module: "cli",
    title: "the Pulumi CLI (minutes the first time)",
    program: "pulumi",
    package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    flags: (version) => [
      "-tags",
      "osusergo,grpcnotrace",
      "-ldflags",
      `-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${version}`,
    ],
  },
  {
    module: "host",
    title: "the Node.js language host",
    program: "pulumi-language-nodejs",
    package: "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs",
    flags: () => ["-ldflags", "-s -w"],
  },
];

const TOOLCHAIN = resolve(__dirname, "../toolchain");

/** Fills `<scratch>/bin` with the two programs. */
export async function buildFromGoModules(scratch: string, version: string, log: Log): Promise<void> {
  if (findExecutable("go") === undefined) {
    throw new Error("Go is not on PATH");
  }
  for (const build of BUILDS) {
    const output = join(scratch, "bin", build.program);
    const args = ["build", "-trimpath", ...build.flags(version), "-o", output, build.package];
    await withProgress(log, `Building ${build.title}`, () =>
      run("go", args, { cwd: join(TOOLCHAIN, build.module), env: { ...process.env, CGO_ENABLED: "0" } }),
    );
  }
}
