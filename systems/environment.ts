/** What differs between the environments that run these systems: how much history they keep, and how far ahead they are. */

/** Periods of one table. */
export interface TableWindow {
  /** A date in the first period. */
  from: string;
  /** Periods kept ready after the current one. */
  ahead: number;
}

/** Periods that leave their table, by age: `8 months`, `2 weeks`. */
export interface AgeingWindow extends TableWindow {
  /** The partition becomes a table beside its parent. */
  detachAfter?: string;
  /** Partition and rows are given up. */
  dropAfter?: string;
}

export interface Environment {
  /** The date that counts as now: `2026-11`, `2026-11-21`. Default: the current period of each table. */
  asOf?: string;
  /** How to treat partitions that nobody declared. Default: `report`. */
  unmanaged?: "ignore" | "report" | "refuse";
  /** What `pulumi destroy` does with partitions that hold rows. Default: `refuse`. */
  onDelete?: "refuse" | "detach" | "drop";
  windows: {
    chatMessages: TableWindow;
    conversationMessages: AgeingWindow;
    messageQueue: AgeingWindow;
  };
}

/** What every table of an environment has in common. */
export function guards({ unmanaged, onDelete }: Environment): Pick<Environment, "unmanaged" | "onDelete"> {
  return { ...(unmanaged && { unmanaged }), ...(onDelete && { onDelete }) };
}

/** The lifecycle that the ages of a window stand for. */
export function lifecycle({ detachAfter, dropAfter }: AgeingWindow): { after: string; tier: "detached" | "dropped" }[] {
  return [
    ...(detachAfter === undefined ? [] : [{ after: detachAfter, tier: "detached" as const }]),
    ...(dropAfter === undefined ? [] : [{ after: dropAfter, tier: "dropped" as const }]),
  ];
}

/** `from` and `ahead` alone. */
export function windowOf({ from, ahead }: TableWindow): TableWindow {
  return { from, ahead };
}
