/** Changes of a parent in words. Pure. */
import type { Statement } from "../../postgres/statement";
import type { Difference } from "../../postgres/table/difference";
import { lockLines } from "../locksText";

export function changeText(title: string, statements: Statement[]): string {
  return [
    title,
    ...statements.flatMap(({ sql }) => sql.split("\n").map((line) => `    ${line}`)),
    ...lockLines(statements).map((line) => `    lock: ${line}`),
  ].join("\n");
}

/** One difference: what is declared, what is there, and why it stays when it does. */
export function differenceText(title: string, { path, reason }: Difference, refusal: string | undefined): string {
  return `${title}, ${path}: ${reason}${refusal === undefined ? "" : ` ${refusal}`}`;
}
