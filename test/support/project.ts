/** A throw-away directory with a Pulumi project that is not a `TestStack`: the real engine, a backend of its own. */
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { logToStderr } from "../../tools/processes";
import { ensurePulumi } from "../../tools/pulumi";
import { type CommandResult, collect, stackEnvironment } from "./stack";

export class Project {
  private constructor(
    readonly directory: string,
    private readonly env: NodeJS.ProcessEnv,
  ) {}

  /** An empty directory outside the checkout, so that nothing is found in its `node_modules` by accident. */
  static async create(): Promise<Project> {
    const engine = await ensurePulumi(logToStderr);
    const directory = await mkdtemp(join(tmpdir(), "pgpartition-project-"));
    await mkdir(join(directory, "backend"));
    return new Project(directory, stackEnvironment(directory, engine.binDir));
  }

  /** Puts a directory in front of PATH. */
  findPluginsIn(directory: string): void {
    this.env.PATH = [directory, this.env.PATH].join(delimiter);
  }

  /** Runs a program in the directory. */
  run(program: string, args: string[], env: Record<string, string> = {}): Promise<CommandResult> {
    const environment = { ...this.env, ...env };
    return collect(spawn(program, args, { cwd: this.directory, env: environment, stdio: ["ignore", "pipe", "pipe"] }));
  }

  async mustRun(program: string, args: string[], env: Record<string, string> = {}): Promise<CommandResult> {
    const result = await this.run(program, args, env);
    if (result.code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${result.code}:\n${result.output}`);
    return result;
  }

  pulumi(args: string[], env: Record<string, string> = {}): Promise<CommandResult> {
    return this.run("pulumi", [...args, "--non-interactive"], env);
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}
