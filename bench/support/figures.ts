/** Figures of several rounds, as a table in Markdown. */

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

export function table(rows: { figure: string; values: number[] }[]): string {
  const lines = rows.map(({ figure, values }) => {
    const cells = [Math.min(...values), median(values), Math.max(...values)].map((value) => value.toFixed(2));
    return `| ${figure} | ${cells.join(" | ")} |`;
  });
  return ["| figure | min | median | max |", "|---|---|---|---|", ...lines].join("\n");
}
