/** A plan in words: the Info column, and the list of statements, locks and rows in Diagnostics. Pure. */
import { qualified } from "../../postgres/identifiers";
import { RESERVED_PREFIX } from "../../postgres/reorganize/names";
import type { Statement } from "../../postgres/statement";
import { relationsMade } from "../../postgres/subtree";
import { describeBound } from "../../topology/bounds";
import { describeKey, relationsBelow } from "../../topology/level";
import { sizeText } from "../../topology/sizeText";
import type { Finding, Plan, Step, StepKind } from "../../topology/steps";
import { lockLines } from "../locksText";
import { longPlanText } from "../longPlanText";

/** Statements of one step shown one by one. */
const STATEMENTS_IN_FULL = 24;

/** What the Info column counts, in its order; what only helps others is left out. */
type Counted = StepKind | "archive";

/** `archive`: everything that an archived partition takes. */
const COUNTED: [Counted, string][] = [
  ["create", "to create"],
  ["attach", "to attach"],
  ["rebound", "to re-bound"],
  ["rename", "to rename"],
  ["abandonReorganization", "unfinished reorganization to give up"],
  ["adjust", "to adjust"],
  ["finalizeDetach", "pending detach to finish"],
  ["validateForeignKeys", "interrupted detach to finish"],
  ["restore", "to restore"],
  ["export", "to export"],
  ["archive", "to archive"],
  ["detach", "to detach"],
  ["drop", "to drop"],
];

const DONE: Record<string, string> = {
  "to create": "created",
  "to attach": "attached",
  "to re-bound": "re-bound",
  "to rename": "renamed",
  "unfinished reorganization to give up": "unfinished reorganization given up",
  "to adjust": "adjusted",
  "pending detach to finish": "pending detach finished",
  "interrupted detach to finish": "interrupted detach finished",
  "to restore": "restored",
  "to export": "exported",
  "to archive": "archived",
  "to detach": "detached",
  "to drop": "dropped",
};

/** `+1 to create, 2 to drop (≈12,000 rows, 3.2 MB)`; `no changes` for an empty plan. */
export function summary(steps: Step[], done: boolean): string {
  const counted = steps.filter(countedAmong(steps));
  const parts = COUNTED.flatMap(([kind, words]) => {
    const some = counted.filter((step) => countedAs(step) === kind);
    if (some.length === 0) return [];
    const tables = some.reduce((sum, step) => sum + 1 + relationsBelow(step.level, step.schema).length, 0);
    const label = `${tables} ${done ? DONE[words] : words}`;
    const size = SIZED.has(kind) ? estimate(some) : "";
    return [size === "" ? label : `${label} (${size})`];
  });
  const all = [...movedTexts(steps, done), ...parts];
  return all.length === 0 ? "no changes" : all.join(", ");
}

const SIZED: ReadonlySet<Counted> = new Set<Counted>(["restore", "export", "archive", "detach", "drop"]);

function countedAs({ kind, method }: Step): Counted {
  return method === "dropArchived" ? "archive" : kind;
}

/** Steps towards something else of the same plan: a partition that is dropped has to be detached, one that is restored attached. */
function countedAmong(steps: readonly Step[]): (step: Step) => boolean {
  const named = (some: (step: Step) => boolean) =>
    new Set(steps.flatMap((step) => (some(step) ? [step.partition] : [])));
  const dropped = named(({ kind }) => kind === "drop");
  const archived = named(({ method }) => method === "dropArchived");
  const restored = named(({ kind }) => kind === "restore");
  const ON_THE_WAY: Partial<Record<StepKind, ReadonlySet<string>>> = {
    detach: dropped,
    export: archived,
    attach: restored,
  };
  return ({ kind, partition }) => !ON_THE_WAY[kind]?.has(partition);
}

/** All reorganizations of a plan: tables that others take the place of, and tables that are only made in another way. */
function movedTexts(steps: Step[], done: boolean): string[] {
  const moving = steps.filter(({ kind, reorganization }) => kind === "reorganize" && reorganization !== undefined);
  const remade = moving.filter(isRemade);
  const others = moving.filter((step) => !isRemade(step));
  const size = estimate(remade);
  return [
    ...(others.length === 0 ? [] : [movedText(others, done)]),
    ...(remade.length === 0
      ? []
      : [`${remade.length} ${done ? "made" : "to make"} anew${size === "" ? "" : ` (${size})`}`]),
  ];
}

/** One table, under its name and with its bound: divided in another way, or stored elsewhere. */
function isRemade({ reorganization }: Step): boolean {
  const [source, target] = [reorganization?.sources[0], reorganization?.targets[0]];
  const one = reorganization?.sources.length === 1 && reorganization.targets.length === 1;
  return one && source?.name === target?.name && JSON.stringify(source?.bound) === JSON.stringify(target?.bound);
}

/** `3 to create by splitting events_2024 (≈1,200,000 rows, 300.0 MB)`. */
function movedText(some: Step[], done: boolean): string {
  const sources = some.flatMap(({ reorganization }) => reorganization?.sources ?? []);
  const targets = some.flatMap(({ reorganization }) => reorganization?.targets ?? []);
  const [source] = sources;
  const kept = targets.filter(({ bound }) => "default" in bound).length;
  const made = `${targets.length - kept} ${done ? "created" : "to create"}`;
  const from = source !== undefined && sources.length === 1 ? source.name : `${sources.length} others`;
  const how =
    kept > 0 && sources.every(({ bound }) => "default" in bound)
      ? "with rows of"
      : wayOf(sources.length, targets.length);
  const size = estimate(some);
  return `${made} ${how} ${from}${size === "" ? "" : ` (${size})`}`;
}

function wayOf(sources: number, targets: number): string {
  if (sources === 1) return "by splitting";
  return targets === 1 ? "by merging" : "out of";
}

function estimate(steps: Step[]): string {
  const sum = (pick: (step: Step) => number | undefined) =>
    steps.reduce<number | undefined>((total, step) => {
      const value = pick(step);
      return total === undefined || value === undefined || value < 0 ? undefined : total + value;
    }, 0);
  return sizeText(
    sum((step) => step.effect.rows),
    sum((step) => step.effect.bytes),
  );
}

const EFFECTS: Record<Step["effect"]["data"], (size: string) => string> = {
  none: () => "no row is touched",
  shows: (size) => `rows appear in the parent${size}`,
  hides: (size) => `rows leave the parent and stay in the table${size}`,
  moves: (size) =>
    `rows are copied into other tables below the parent, which is seen with all of them throughout${size}`,
  deletes: (size) => `rows are deleted${size}, no undo`,
  restores: (size) => `rows of the archive fill a table that nobody uses yet, and are compared with it${size}`,
  copies: (size) => `rows are copied into the archive, and read from there again${size}`,
  archives: (size) => `rows are in the archive only${size}; the table goes when they are proven to be there`,
};

/** A step with its statements, then its locks and effect on rows. */
export function stepText(
  step: Step,
  { statements, instead, exclusive }: Rendered,
): { head: string[]; consequences: string[] } {
  const size = sizeText(step.effect.rows, step.effect.bytes);
  const own = new Set(relationsMade(step).map(qualified));
  // Nobody can wait for a table that its own transaction makes.
  const met = statements.map((statement) => ({
    ...statement,
    locks: statement.locks.filter(({ relation }) => !own.has(relation) && !relation.includes(RESERVED)),
  }));
  return {
    head: [stepLine(step), ...partsOf(statements).flatMap((sql) => sql.split("\n").map((line) => `    ${line}`))],
    consequences: [
      ...heldLines(met).map((line) => `    lock: ${line}`),
      ...statements.flatMap(({ waitsFor = [] }) =>
        waitsFor.map((relation) => `    waits for all that are using ${relation}; nobody waits behind it`),
      ),
      ...(exclusive === undefined ? [] : [`    ACCESS EXCLUSIVE on the parent: ${exclusive}`]),
      ...insteadLines(instead),
      `    data: ${EFFECTS[step.effect.data](size === "" ? "" : ` (${size})`)}`,
    ],
  };
}

/** The lock of a proof is held for as long as it takes, although the same transaction ends with a stronger one. */
function heldLines(statements: Statement[]): string[] {
  const proof = statements.filter(({ prove }) => prove);
  return [...lockLines(proof), ...lockLines(statements.filter((statement) => !proof.includes(statement)))];
}

/** Names of tables that are there only while rows are moved. */
const RESERVED = `."${RESERVED_PREFIX}`;

/** Under a heading each, when the step has parts. */
function partsOf(statements: Statement[]): string[] {
  const parts: Statement[][] = [];
  for (const statement of statements) {
    if (statement.part !== undefined || parts.length === 0) parts.push([]);
    parts.at(-1)?.push(statement);
  }
  return parts.flatMap((part) => {
    const title = part[0]?.part;
    return [...(title === undefined ? [] : [`-- ${title}`]), ...shortened(part)];
  });
}

/** A subtree of many tables repeats the same statements: the first are shown, and the last, which shows it to others. */
function shortened(statements: Statement[]): string[] {
  const texts = statements.map(({ sql }) => sql);
  if (texts.length <= STATEMENTS_IN_FULL) return texts;
  const left = texts.length - STATEMENTS_IN_FULL;
  return [
    ...texts.slice(0, STATEMENTS_IN_FULL - 1),
    `… ${left} more of the same kinds, one table after the other …`,
    ...texts.slice(-1),
  ];
}

/** What runs next when the first choice was interrupted while it waited for somebody. */
function insteadLines(instead: Statement[] | undefined): string[] {
  if (instead === undefined) return [];
  return [
    "    and when it is interrupted, under the lock ladder:",
    ...instead.flatMap(({ sql }) => sql.split("\n").map((line) => `      ${line}`)),
    ...lockLines(instead).map((line) => `      lock: ${line}`),
  ];
}

/** Names in a line of a reorganization; the statements name all of them. */
const NAMES_IN_LINE = 4;

export function stepLine(step: Step): string {
  const { reorganization } = step;
  if (reorganization !== undefined) {
    const { sources, targets } = reorganization;
    return `${step.kind} ${namesText(sources)} → ${namesText(targets)}  (${step.reason})`;
  }
  const bound = step.bound === undefined ? "" : `  ${describeBound(step.bound)}`;
  const count = relationsBelow(step.level, step.schema).length;
  const inside = step.level === undefined ? "" : `, ${describeKey(step.level)} with ${count} partition(s) in it`;
  return `${step.kind} ${step.partition}${bound}${inside}  (${step.reason})`;
}

function namesText(tables: readonly { name: string }[]): string {
  const names = tables.map(({ name }) => name);
  if (names.length <= NAMES_IN_LINE) return names.join(", ");
  return `${names.slice(0, NAMES_IN_LINE - 1).join(", ")}, … ${names.at(-1)}`;
}

/** A step's statements, and those that follow when they are interrupted. */
export interface Rendered {
  statements: Statement[];
  instead?: Statement[];
  /** Why the parent is locked in ACCESS EXCLUSIVE mode, when it is. */
  exclusive?: string;
}

/** The whole plan for Diagnostics. */
export function planText(title: string, plan: Plan, render: (step: Step) => Rendered): string {
  const head = `${title}: ${summary(plan.steps, false)}`;
  return longPlanText(head, plan.steps, (steps) => fullText(steps, render), stepLine);
}

/** Locks and effects are written out where they change: partitions made in a row take the same ones. */
function fullText(steps: Step[], render: (step: Step) => Rendered): string[] {
  let before = "";
  return steps.flatMap((step, index) => {
    const { head, consequences } = stepText(step, render(step));
    const text = consequences.join("\n");
    const shown = text === before ? ["    locks and data: as above"] : consequences;
    before = text;
    return [
      `  ${index + 1}. ${head[0]}`,
      ...head.slice(1).map((line) => `  ${line}`),
      ...shown.map((line) => `  ${line}`),
    ];
  });
}

/** `partitions.events_2026_01 (public.events_default): …`; a finding about no property in particular speaks for itself. */
export function findingText({ path, relation, reason }: Finding): string {
  if (path === "") return reason;
  return `${path}${relation === undefined ? "" : ` (${relation})`}: ${reason}`;
}
