/** What the engine itself costs, whatever provider it has. */

/** A stack with one trivial resource of the engine's own, whose state holds as much as the set's. */
export function floorProgram(outputs: unknown): string {
  return `new pulumi.Stash("floor", { input: JSON.parse(${JSON.stringify(JSON.stringify(outputs))}) });`;
}

export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}
