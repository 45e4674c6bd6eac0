/** Text in columns, for people. */

/** Lines of equal columns, two spaces between; numbers to the right. Pure. */
export function columns(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly string[] = [],
): string {
  const widths = head.map((title, at) => Math.max(...[title, ...rows.map((row) => row[at] ?? "")].map(widthOf)));
  const line = (cells: readonly string[]) =>
    head
      .map((title, at) => {
        const cell = cells[at] ?? "";
        const room = " ".repeat((widths[at] ?? 0) - widthOf(cell));
        return right.includes(title) ? room + cell : cell + room;
      })
      .join("  ")
      .trimEnd();
  return `${[head, ...rows].map(line).join("\n")}\n`;
}

const widthOf = (text: string) => [...text].length;
