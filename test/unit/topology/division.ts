/** The ways in which the tables of these tests are divided. */
import type { DesiredPartition, PartitionBound } from "../../../topology/model";

export type Division = "hash" | "list";

const DIVISIONS: Record<Division, [suffix: string, bound: PartitionBound][]> = {
  hash: [0, 1].map((remainder) => [`h${remainder}`, { modulus: 2, remainder }]),
  list: [
    ["a", { values: ["a"] }],
    ["rest", { default: true }],
  ],
};

/** What is declared for a table that is divided so. */
export function dividedAs(division: Division, table: string): Pick<DesiredPartition, "partitionBy" | "partitions"> {
  const inside = DIVISIONS[division].map(([suffix, bound]): [string, DesiredPartition] => [
    `${table}_${suffix}`,
    { ...bound, tier: "live" },
  ]);
  return {
    partitionBy: division === "hash" ? { hash: { columns: ["i"] } } : { list: { column: "j" } },
    partitions: Object.fromEntries(inside),
  };
}
