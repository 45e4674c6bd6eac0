/** Points at which a test can make the process end as if the machine had: nothing happens without the variables. */
import { appendFileSync } from "node:fs";

/** Where a run can be broken off. */
export type FaultPoint = "beforeTransaction" | "betweenStatements" | "beforeCommit" | "afterTransaction" | "archive";

const hits = new Map<string, number>();

/** Who is killed: this process, or the engine that started it. */
const TARGETS: Record<string, () => number> = {
  provider: () => process.pid,
  engine: () => process.ppid,
};

/**
 * Sends SIGKILL at the n-th pass through the point that `PGPARTITION_FAULT="<point>:<n>"` names; the count is over the
 * whole process. `PGPARTITION_FAULT_TARGET` says to whom: `provider` (default), which is this process, or `engine`, its
 * parent. `PGPARTITION_FAULT_TRACE` names a file to which every pass adds a line with the point's name.
 */
export function faultPoint(point: FaultPoint): void {
  const { PGPARTITION_FAULT: fault, PGPARTITION_FAULT_TRACE: trace, PGPARTITION_FAULT_TARGET: target } = process.env;
  if (trace) appendFileSync(trace, `${point}\n`);
  const [wanted, count] = (fault ?? "").split(":");
  if (wanted !== point) return;
  const hit = (hits.get(point) ?? 0) + 1;
  hits.set(point, hit);
  const victim = TARGETS[target ?? "provider"];
  if (hit === Number(count) && victim !== undefined) process.kill(victim(), "SIGKILL");
}
