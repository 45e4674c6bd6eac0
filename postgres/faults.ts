/** Points at which a test can make the process end as if the machine had: nothing happens without the variable. */

/** Where a run can be broken off. */
export type FaultPoint = "beforeTransaction" | "betweenStatements" | "beforeCommit" | "afterTransaction";

const hits = new Map<string, number>();

/**
 * Ends the process with SIGKILL at the n-th pass through the point that `PGPARTITION_FAULT="<point>:<n>"` names; the
 * count is over the whole process.
 */
export function faultPoint(point: FaultPoint): void {
  const [wanted, count] = (process.env.PGPARTITION_FAULT ?? "").split(":");
  if (wanted !== point) return;
  const hit = (hits.get(point) ?? 0) + 1;
  hits.set(point, hit);
  if (hit === Number(count)) process.kill(process.pid, "SIGKILL");
}
