/** The processes that a stack's commands have started, found by the environment that they all inherit. */
import { spawnSync } from "node:child_process";
import type { TestStack } from "./stack";

export interface StackProcess {
  pid: number;
  /** Program and arguments, then the environment. */
  text: string;
}

/** Processes that are running now; none after a command that ended as it should. */
export function processesOf(stack: TestStack): StackProcess[] {
  const { stdout } = spawnSync("ps", ["axeww", "-o", "pid=,args="], { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  return stdout.split("\n").flatMap((line) => {
    const [, pid, text] = /^\s*(\d+) (.*)$/.exec(line) ?? [];
    if (pid === undefined || text === undefined || !text.includes(`file://${stack.directory}/backend`)) return [];
    return [{ pid: Number(pid), text }];
  });
}

export const isProvider = ({ text }: StackProcess): boolean => text.includes("pulumi-resource-pgpartition");

/**
 * Ends what `kill -9` of the CLI has left behind but for the provider, which has to end by itself: the language host and
 * the program are Pulumi's own.
 */
export function endLeftovers(stack: TestStack): void {
  for (const leftover of processesOf(stack).filter((one) => !isProvider(one))) {
    try {
      process.kill(leftover.pid, "SIGKILL");
    } catch {
      // It has ended in the meantime.
    }
  }
}
