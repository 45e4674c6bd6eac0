/** The plan of an index in words: statements, locks, and what is waited for. Pure. */

import { describeBlockers } from "../../postgres/errors";
import type { IndexEvent } from "../../postgres/index/apply";
import type { Statement } from "../../postgres/statement";
import type { IndexStep, IndexStepKind } from "../../topology/index/model";
import { sizeText } from "../../topology/sizeText";
import { lockLines } from "../locksText";
import { longPlanText } from "../longPlanText";

const WORDS: Record<IndexStepKind, { verb: string; counted?: string }> = {
  dropInvalid: { verb: "drop the invalid" },
  create: { verb: "create" },
  build: { verb: "build", counted: "to build" },
  adopt: { verb: "adopt", counted: "to adopt" },
  rebuild: { verb: "build again", counted: "to build again" },
  move: { verb: "move", counted: "to move to another tablespace" },
  place: { verb: "place" },
  rename: { verb: "rename", counted: "to rename" },
  swap: { verb: "put in place", counted: "to put in place of the old one" },
  drop: { verb: "drop", counted: "to drop" },
};

/** Kinds that read the table. */
const BUILDING: ReadonlySet<IndexStepKind> = new Set<IndexStepKind>(["build", "rebuild", "move"]);

/** `12 to build (≈1,000,000 rows, 3.2 GB), 1 to adopt`. */
export function summary(steps: IndexStep[]): string {
  const parts = (Object.keys(WORDS) as IndexStepKind[]).flatMap((kind) => {
    const some = steps.filter((step) => step.kind === kind);
    const { counted } = WORDS[kind];
    if (some.length === 0 || counted === undefined) return [];
    const size = kind === "build" || kind === "move" ? ` (${sizeOf(some)})` : "";
    return [`${some.length} ${counted}${size}`];
  });
  if (parts.length > 0) return parts.join(", ");
  return steps.length === 0 ? "no changes" : "to create";
}

function sizeOf(steps: IndexStep[]): string {
  const known = steps.every(({ table }) => table.rows >= 0);
  const total = (pick: (step: IndexStep) => number) => steps.reduce((sum, step) => sum + pick(step), 0);
  return sizeText(
    known ? total(({ table }) => table.rows) : undefined,
    total(({ table }) => table.bytes),
  );
}

/** The whole plan for Diagnostics. */
export function planText(title: string, steps: IndexStep[], render: (step: IndexStep) => Statement[]): string {
  return longPlanText(`${title}: ${summary(steps)}`, steps, (first) => fullText(first, render), stepLine);
}

function fullText(steps: IndexStep[], render: (step: IndexStep) => Statement[]): string[] {
  let before = "";
  return steps.flatMap((step, place) => {
    const statements = render(step);
    const locks = lockText(step, statements);
    const shown = locks === before ? ["      locks: as above"] : locks.split("\n");
    before = locks;
    return [
      `  ${place + 1}. ${stepLine(step)}`,
      ...statements.flatMap(({ sql }) => sql.split("\n").map((line) => `      ${line}`)),
      ...shown,
    ];
  });
}

/** A build and the transaction that follows it hold different locks on the same table. */
function lockText(step: IndexStep, statements: Statement[]): string {
  const alone = statements.filter(({ transactional }) => !transactional).map((statement) => [statement]);
  const together = statements.filter(({ transactional }) => transactional);
  const lines = [...alone, together].flatMap(lockLines).map((line) => `      lock: ${line}`);
  const older = BUILDING.has(step.kind) ? " or have an older snapshot" : "";
  const waits = statements.flatMap(({ waitsFor, waitsForWriters }) => {
    if (waitsFor === undefined && waitsForWriters === undefined) return [];
    const doing = waitsFor === undefined ? "writing to" : "using";
    return [`      waits for transactions that are ${doing} the table${older}; nobody waits for it`];
  });
  return [...lines, ...waits].join("\n");
}

function stepLine({ kind, index, table, name, reason }: IndexStep): string {
  const to = name === undefined ? "" : ` as ${name}`;
  const size = BUILDING.has(kind) ? sizeText(table.rows, table.bytes) : "";
  return `${WORDS[kind].verb} ${index.name} on ${table.name}${to}${size === "" ? "" : `, ${size}`}  (${reason})`;
}

/** Progress in the Info column. */
export function eventText(event: IndexEvent): string {
  const { step } = event;
  if (event.type === "waiting") return `${step.id}: waiting. ${describeBlockers(event.blockers)}`;
  if (event.type !== "progress") return `${event.position} of ${event.total}: ${step.id}`;
  const { phase, part, waitsFor } = event.progress;
  const percent = part === undefined ? "" : ` ${Math.floor(part * 100)} %`;
  return `${step.id}: ${phase}${percent}${waitsFor === undefined ? "" : `, for process ${waitsFor}`}`;
}
