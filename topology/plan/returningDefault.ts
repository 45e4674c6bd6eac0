/**
 * A DEFAULT that was detached by hand comes back with its rows. What takes rows of it waits for the next run, which moves
 * them: as a partition beside it, PostgreSQL would refuse to attach DEFAULT again.
 */
import { describeBound } from "../bounds";
import type { ActualPartition, PartitionBound } from "../model";
import { ask, type Context, type Draft, note, qualified } from "./context";
import type { Move } from "./moves";

/** Takes what has to wait out of the drafts, and says so; gives back the moves that need not. */
export function besideReturningDefault(context: Context, moves: readonly Move[]): Move[] {
  const returning = returningDefault(context);
  if (returning === undefined) return [...moves];
  const { table } = returning;
  const { drafts } = context;
  const other = placeOfItsRows(context, table);
  if (other !== undefined) {
    leaveOutside(context, returning, other);
    return [...moves];
  }
  const holds = (bound: PartitionBound | undefined) =>
    bound !== undefined && !("default" in bound) && ask(context, table, bound)?.found === "some";
  const waiting = [...drafts.rebounds, ...drafts.additions].filter(({ bound }) => holds(bound));
  const ids = new Set(waiting.map(({ id }) => id));
  const follows = ({ id, after }: { id: string; after: string[] }) => ids.has(id) || after.some((one) => ids.has(one));
  for (const { partition, bound } of waiting) if (bound !== undefined) refuse(context, table, partition, bound);
  drafts.rebounds = drafts.rebounds.filter((draft) => !follows(draft));
  drafts.additions = drafts.additions.filter((draft) => !follows(draft));
  return moves.filter(({ targets }) => {
    const [held] = targets.filter(({ bound }) => holds(bound));
    if (held !== undefined) refuse(context, table, held.name, held.bound);
    return held === undefined;
  });
}

interface Returning {
  attach: Draft;
  table: ActualPartition;
}

function returningDefault({ drafts, detachedByOid }: Context): Returning | undefined {
  const attach = drafts.additions.find(({ kind, bound }) => kind === "attach" && bound && "default" in bound);
  const table = attach?.oid === undefined ? undefined : detachedByOid.get(attach.oid);
  return attach && table && { attach, table };
}

/** A partition that is there already and is declared to hold some of its rows: then it cannot come back. */
function placeOfItsRows(context: Context, table: ActualPartition): ActualPartition | undefined {
  const children = context.actual.children.filter(({ bound, state }) => state === "live" && !("default" in bound));
  // All are asked in one round.
  const holding = children.filter(({ bound }) => ask(context, table, bound)?.found === "some");
  return holding[0];
}

function leaveOutside(context: Context, { attach, table }: Returning, other: ActualPartition): void {
  const { drafts, handled } = context;
  drafts.additions = drafts.additions.filter((draft) => draft !== attach);
  handled.add(table.oid);
  const reason =
    `${qualified(table)} is detached and holds rows of ${describeBound(other.bound)}, which ${qualified(other)} is there for:` +
    " PostgreSQL does not attach it with them. Insert these rows into the table by hand, delete them here, then run again.";
  note(context, "error", attach.partition, reason, table);
}

function refuse(context: Context, table: ActualPartition, name: string, bound: PartitionBound): void {
  const reason =
    `The DEFAULT partition ${qualified(table)} was detached and holds rows of ${describeBound(bound)}. It is attached again by` +
    " this update; run again, and they are moved.";
  note(context, "error", name, reason, table);
}
