/** What differs between the environments that run these systems: how much history they keep, and how far ahead they are. */
import type { Input } from "@pulumi/pulumi";
import type { LifecycleRule } from "../resources";

/** Periods of one table. */
export interface TableWindow {
  /** A date in the first period. */
  from: string;
  /** Periods kept ready after the current one. */
  ahead: number;
}

/** Periods that leave their table, by age: `8 months`, `2 weeks`. */
export interface AgeingWindow extends TableWindow {
  /** The archive has a copy of the partition, which stays in its place. */
  exportAfter?: string;
  /** The rows are in the archive only. */
  archiveAfter?: string;
  /** The partition becomes a table beside its parent. */
  detachAfter?: string;
  /** Partition and rows are given up. */
  dropAfter?: string;
  /** Periods that are kept in the table, or brought back, whatever their age. */
  pins?: { from: string; to: string; until?: string }[];
}

/** Where rows go that leave the database. */
export interface ArchivePlace {
  /** `directory`: the one that the environment names. `bucket`: one in S3, made by the stack. */
  in: "directory" | "bucket";
  /** Of a bucket: days after which rows move to GLACIER_IR. Default: never. */
  moveAfterDays?: number;
  /** Of a bucket: days after which S3 deletes them. Default: never. */
  expireAfterDays?: number;
  /** Of a bucket: object lock. Default: none. */
  lock?: { mode: "GOVERNANCE" | "COMPLIANCE"; days: number };
}

export interface Environment {
  /** The date that counts as now: `2026-11`, `2026-11-21`. Default: the current period of each table. */
  asOf?: string;
  /** How to treat partitions that nobody declared. Default: `report`. */
  unmanaged?: "ignore" | "report" | "refuse";
  /** What `pulumi destroy` does with partitions that hold rows. Default: `refuse`. */
  onDelete?: "refuse" | "detach" | "drop";
  /** Default: none, and no window may archive. */
  archive?: ArchivePlace;
  windows: {
    chatMessages: TableWindow;
    conversationMessages: AgeingWindow;
    messageQueue: AgeingWindow;
  };
}

/** An environment as tables need it: with the URL of its archive. */
export type Surroundings = Omit<Environment, "archive"> & { store?: Input<string> };

/** What every table of an environment has in common. */
export function guards({
  unmanaged,
  onDelete,
}: Pick<Environment, "unmanaged" | "onDelete">): Pick<Environment, "unmanaged" | "onDelete"> {
  return { ...(unmanaged && { unmanaged }), ...(onDelete && { onDelete }) };
}

/** The lifecycle that the ages of a window stand for. */
export function lifecycle({ exportAfter, detachAfter, archiveAfter, dropAfter }: AgeingWindow): LifecycleRule[] {
  const ages = { exported: exportAfter, detached: detachAfter, archived: archiveAfter, dropped: dropAfter };
  return (Object.keys(ages) as (keyof typeof ages)[]).flatMap((tier) => {
    const after = ages[tier];
    return after === undefined ? [] : [{ after, tier }];
  });
}

/** `from` and `ahead` alone. */
export function windowOf({ from, ahead }: TableWindow): TableWindow {
  return { from, ahead };
}
