/** Stored generated columns that a partition computes by an expression of its own, as its entry declares. */
import type { AttributeDifference } from "./attributes";
import type { ActualPartition, DesiredPartition, DesiredSet, ReorganizationTarget } from "./model";

/** The part of a set that tells. */
export type GeneratedDeclaration = Pick<DesiredSet, "partitions" | "generated" | "server">;

type Compared = Pick<ActualPartition, "relkind" | "differences" | "stored">;

/**
 * All differences of a partition, those of declared columns against what is declared. The server compares a table with the
 * one above it, which by then has what is declared there.
 */
export function withDeclaredExpressions(
  set: GeneratedDeclaration,
  name: string,
  { relkind, differences = [], stored }: Compared,
): AttributeDifference[] {
  const wanted = { ...set.generated, ...partitionOf(set, name)?.generated };
  const others = differences.filter(
    ({ attribute, column = "" }) => attribute !== "generatedColumns" || !Object.hasOwn(wanted, column),
  );
  const { expressions, refused = [] } = set.server ?? {};
  if (expressions === undefined || stored === undefined) return others;
  const declared = Object.entries(wanted).flatMap(([column, expected]): AttributeDifference[] => {
    const row = differences.find((one) => one.attribute === "generatedColumns" && one.column === column);
    const found = row === undefined ? (set.generated?.[column] ?? expressions[column]) : row.found;
    if (found === expected) return [];
    const refusal = refused.find((one) => one.column === column && one.expression === expected);
    const obstacle = refusal?.reason ?? (relkind === "p" ? DIVIDED : undefined);
    return [
      {
        attribute: "generatedColumns",
        declared: true,
        column,
        expected,
        ...(found === undefined ? {} : { found }),
        ...(obstacle === undefined ? { remake: true } : { obstacle }),
      },
    ];
  });
  return [...others, ...declared];
}

/**
 * SET EXPRESSION (17 and later) is no way: it fails (2BP01) where an index of the table above is on the column, and rewrites
 * what holds rows.
 */
const DIVIDED =
  "A partition that is partitioned itself keeps the expression that it was made with: PostgreSQL does not change it where an " +
  "index of the table is on the column (2BP01). Declare the expression in the entries of its own partitions, which are made anew with their rows";

/** Declared expressions of a partition that the server does not take, and of what is to be made below it. */
export function refusedExpressions(
  { server }: Pick<DesiredSet, "server">,
  { generated = {}, partitions = {} }: Pick<DesiredPartition, "generated" | "partitions">,
): { column: string; reason: string }[] {
  const own = Object.entries(generated).flatMap(([column, expression]) => {
    const refusal = server?.refused.find((one) => one.column === column && one.expression === expression);
    return refusal === undefined ? [] : [{ column, reason: refusal.reason }];
  });
  return [...own, ...Object.values(partitions).flatMap((below) => refusedExpressions({ server }, below))];
}

/** Columns that a table computes by itself, so that a move of its rows into these targets would change their values unasked. */
export function ownExpressionsLost(
  { differences = [] }: Pick<ActualPartition, "differences">,
  targets: readonly Pick<ReorganizationTarget, "generated">[],
): string[] {
  const stored = differences.filter(({ attribute, obstacle }) => attribute === "generatedColumns" && obstacle);
  return stored.flatMap(({ column = "" }) =>
    targets.every(({ generated = {} }) => Object.hasOwn(generated, column)) ? [] : [column],
  );
}

/** What is declared above for columns that one of the sources computes in another way: said of the targets, whose rows change by it. */
export function declaredAbove(
  { generated = {} }: Pick<DesiredSet, "generated">,
  sources: readonly Pick<ActualPartition, "differences">[],
): Record<string, string> {
  const others = new Set(sources.flatMap((source) => ownExpressionsLost(source, [{}])));
  return Object.fromEntries(Object.entries(generated).filter(([column]) => others.has(column)));
}

function partitionOf({ partitions }: GeneratedDeclaration, name: string): DesiredPartition | undefined {
  return Object.hasOwn(partitions, name) ? partitions[name] : undefined;
}
