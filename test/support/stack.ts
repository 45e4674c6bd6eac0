/**
 * A throw-away Pulumi project with the real engine, a file backend and this checkout's provider, for end-to-end tests.
 * Programs are plain JavaScript, so that a test pays for the engine and not for a compiler.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { logToStderr } from "../../tools/processes";
import { ensurePulumi } from "../../tools/pulumi";
import type { Connection } from "./postgres";
import { TEST_ROOT } from "./root";

const ROOT = resolve(__dirname, "../..");

export interface CommandResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Standard output and error in the order in which they came. */
  output: string;
  stdout: string;
}

export interface PreviewStep {
  op: string;
  urn: string;
  provider?: string;
  detailedDiff?: Record<string, { kind: string; inputDiff: boolean }> | null;
  oldState?: { inputs?: Record<string, unknown>; outputs?: Record<string, unknown> };
  newState?: { inputs?: Record<string, unknown>; outputs?: Record<string, unknown> };
}

export interface Preview {
  code: number | null;
  steps: PreviewStep[];
  changeSummary: Record<string, number>;
  diagnostics: { urn?: string; message: string; severity: string }[];
  output: string;
}

export interface StackOptions {
  /** Where the provider connects to; `program` finds it as `provider`. Absent: no provider is declared. */
  database?: Connection & { lockTimeoutMs?: number; lockBudgetSeconds?: number; maxConnections?: number };
  /** Statements of the program; `pulumi`, `pgp` (this package) and `provider` are in scope. */
  program: string;
  env?: Record<string, string>;
  /** Directories in front of PATH: where other plugins are. */
  path?: string[];
}

export class TestStack {
  private constructor(
    readonly directory: string,
    private readonly env: NodeJS.ProcessEnv,
    private database: StackOptions["database"],
  ) {}

  static async create(options: StackOptions): Promise<TestStack> {
    const engine = await ensurePulumi(logToStderr);
    await mkdir(TEST_ROOT, { recursive: true });
    const directory = await mkdtemp(join(TEST_ROOT, "stack-"));
    await mkdir(join(directory, "backend"));
    await symlink(join(ROOT, "node_modules"), join(directory, "node_modules"));
    await writeFile(
      join(directory, "package.json"),
      JSON.stringify({ name: "e2e", version: "0.0.0", main: "index.js" }),
    );
    await writeFile(
      join(directory, "Pulumi.yaml"),
      `name: e2e\nruntime: nodejs\nmain: index.js\nplugins:\n  providers:\n    - name: pgpartition\n      path: ${JSON.stringify(join(ROOT, "bin"))}\n`,
    );
    const env = stackEnvironment(directory, engine.binDir);
    const path = [...(options.path ?? []), env.PATH].join(delimiter);
    const stack = new TestStack(directory, { ...env, PATH: path, ...options.env }, options.database);
    await stack.setProgram(options.program);
    await stack.mustRun(["stack", "init", "test"]);
    return stack;
  }

  /** Replaces the program. */
  async setProgram(program: string, database = this.database): Promise<void> {
    this.database = database;
    await writeFile(join(this.directory, "index.js"), programText(program, database));
  }

  run(args: string[], env: Record<string, string> = {}): Promise<CommandResult> {
    return collect(this.start(args, env));
  }

  /** Starts the CLI without waiting for it. */
  start(args: string[], env: Record<string, string> = {}): ChildProcess {
    return spawn("pulumi", [...args, "--non-interactive"], {
      cwd: this.directory,
      env: { ...this.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  async mustRun(args: string[], env: Record<string, string> = {}): Promise<CommandResult> {
    const result = await this.run(args, env);
    if (result.code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${result.code}:\n${result.output}`);
    return result;
  }

  up(env: Record<string, string> = {}): Promise<CommandResult> {
    return this.run(["up", "--yes", "--skip-preview"], env);
  }

  mustUp(): Promise<CommandResult> {
    return this.mustRun(["up", "--yes", "--skip-preview"]);
  }

  refresh(): Promise<CommandResult> {
    return this.run(["refresh", "--yes", "--skip-preview"]);
  }

  destroy(): Promise<CommandResult> {
    return this.run(["destroy", "--yes", "--skip-preview"]);
  }

  /** The preview as data; views are steps of it, too. */
  async preview(...args: string[]): Promise<Preview> {
    const result = await this.run(["preview", "--json", ...args]);
    try {
      const document = JSON.parse(result.stdout) as Partial<Preview>;
      return {
        code: result.code,
        steps: document.steps ?? [],
        changeSummary: document.changeSummary ?? {},
        diagnostics: document.diagnostics ?? [],
        output: result.output,
      };
    } catch {
      return { code: result.code, steps: [], changeSummary: {}, diagnostics: [], output: result.output };
    }
  }

  /** The preview as a person sees it. */
  async previewText(...args: string[]): Promise<CommandResult> {
    return this.run(["preview", "--diff", ...args]);
  }

  async exportState(): Promise<{
    text: string;
    resources: { urn: string; type: string; inputs?: Record<string, unknown>; outputs?: Record<string, unknown> }[];
  }> {
    const file = join(this.directory, "state.json");
    await this.mustRun(["stack", "export", "--file", file]);
    const text = await readFile(file, "utf8");
    const document = JSON.parse(text) as { deployment: { resources?: [] } };
    return { text, resources: document.deployment.resources ?? [] };
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

function programText(program: string, database: StackOptions["database"]): string {
  const { user, ...rest } = database ?? { user: undefined };
  const provider =
    database === undefined
      ? ""
      : `const provider = new pgp.Provider("db", ${JSON.stringify({ username: user, ...rest })});\n`;
  return [
    `const pulumi = require("@pulumi/pulumi");`,
    `const pgp = require(${JSON.stringify(join(ROOT, "dist", "components"))});`,
    provider,
    program,
    "",
  ].join("\n");
}

/** Environment of the CLI for a project in `directory` with its backend in `directory/backend`, and nothing of the caller's. */
export function stackEnvironment(directory: string, pulumiBin: string): NodeJS.ProcessEnv {
  const nodeBin = join(ROOT, "node_modules", ".bin");
  return {
    ...withoutPulumi(process.env),
    PATH: [pulumiBin, existsSync(nodeBin) ? nodeBin : "", process.env.PATH ?? ""].filter(Boolean).join(delimiter),
    // Each command loads the SDK and the provider anew; compiled once, they take a third less.
    NODE_COMPILE_CACHE: join(TEST_ROOT, "compiled"),
    PULUMI_HOME: join(TEST_ROOT, "pulumi-home"),
    PULUMI_BACKEND_URL: `file://${join(directory, "backend")}`,
    PULUMI_CONFIG_PASSPHRASE: "",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    PULUMI_STACK: "test",
    NO_COLOR: "1",
  };
}

/** The caller's own Pulumi and PostgreSQL settings must not reach a test. */
function withoutPulumi(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(PULUMI_|PG)/.test(name)));
}

export function collect(child: ChildProcess): Promise<CommandResult> {
  let output = "";
  let stdout = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    stdout += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  return new Promise((resolveResult, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolveResult({ code, signal, output, stdout }));
  });
}
