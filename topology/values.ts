/** The one way in which the pure layer says that a value cannot be used. */

/** A value was refused. The message is a clause for people and never holds more of the value than was declared. */
export class ValueError extends Error {}

/** Either the result, or the reason why there is none; any other exception is a defect and passes through. */
export function attempt<T>(work: () => T): { value: T } | { reason: string } {
  try {
    return { value: work() };
  } catch (error) {
    if (error instanceof ValueError) return { reason: error.message };
    throw error;
  }
}

/** Three-way comparison by code units; stable on every machine, unlike localeCompare. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The allowed name that a person most likely meant, or undefined when none is near. */
export function nearest(name: string, allowed: readonly string[]): string | undefined {
  const scored = allowed
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const best = scored[0];
  return best !== undefined && best.distance <= Math.max(2, Math.floor(name.length / 3)) ? best.candidate : undefined;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const substitution = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
