/** The engine built from Go modules. */
import { buildFromGoModules } from "../go-build";
import type { Log } from "../processes";

/** Fills `<scratch>/bin` with the CLI and the Node.js language host. */
export function buildEngine(scratch: string, version: string, log: Log): Promise<void> {
  const stamped = `-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${version}`;
  const cli = {
    module: "cli",
    title: "the Pulumi CLI (minutes the first time)",
    program: "pulumi",
    package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    flags: ["-tags", "osusergo,grpcnotrace", "-ldflags", stamped],
  };
  const host = {
    module: "host",
    title: "the Node.js language host",
    program: "pulumi-language-nodejs",
    package: "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs",
    flags: ["-ldflags", "-s -w"],
  };
  return buildFromGoModules(scratch, [cli, host], log);
}
