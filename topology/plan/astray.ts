/**
 * Tables that come back with rows which belong elsewhere by now: detached since, or half detached, while their bound was
 * changed in the program. PostgreSQL would refuse to attach them.
 */
import { boundsOverlap, describeBound } from "../bounds";
import { uncovered } from "../coverage";
import { boundOf } from "../level";
import type { ActualPartition, PartitionBound } from "../model";
import { ask, type Context, type Declared, note, qualified } from "./context";
import { returning } from "./live";

interface Astray {
  name: string;
  table: ActualPartition;
  /** Ranges or values of its former bound, with rows, that the declared one has not. */
  pieces: PartitionBound[];
}

/**
 * The partitions that can be made or attached. One that takes over a part in which such a table has rows is left out as
 * well: with the range free, the former bound can still be declared again.
 */
export function withoutAstray(context: Context, missing: readonly Declared[]): Declared[] {
  const astray = missing.flatMap((declared) => astrayOf(context, declared));
  if (astray.length === 0) return [...missing];
  return missing.filter(({ name, partition }) => {
    const bound = boundOf(partition);
    const first = astray.find(
      (one) => one.name === name || one.pieces.some((piece) => boundsOverlap(piece, bound, context.types)),
    );
    if (first !== undefined) refuse(context, name, first);
    return first === undefined;
  });
}

function astrayOf(context: Context, { name, partition }: Declared): Astray[] {
  const table = returning(context, name);
  if (table === undefined || "default" in table.bound) return [];
  const outside = uncovered(table.bound, [boundOf(partition)], context.types) ?? [];
  const answers = outside.map((piece) => ask(context, table, piece)?.found ?? "none");
  const pieces = outside.filter((_, at) => answers[at] === "some");
  return pieces.length === 0 ? [] : [{ name, table, pieces }];
}

function refuse(context: Context, name: string, { name: own, table, pieces }: Astray): void {
  context.handled.add(table.oid);
  const rows = pieces.map(describeBound).join(", ");
  const reason =
    `${qualified(table)} is detached and holds rows of ${rows}, which ${own} is no longer declared for. Declare` +
    ` ${describeBound(table.bound)} for ${own} again and run, so that it comes back with its rows; then change its bound, and they` +
    " are moved. Or move the rows by hand.";
  note(context, "error", name, reason, table);
}
