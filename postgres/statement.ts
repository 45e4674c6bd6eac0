/** A statement as it will be sent, with the relation locks that it takes; what a preview shows is what is executed. */

/** PostgreSQL's table-level lock modes (documentation, 13.3.1), weakest first. */
export const LOCK_MODES = [
  "ACCESS SHARE",
  "ROW SHARE",
  "ROW EXCLUSIVE",
  "SHARE UPDATE EXCLUSIVE",
  "SHARE",
  "SHARE ROW EXCLUSIVE",
  "EXCLUSIVE",
  "ACCESS EXCLUSIVE",
] as const;

export type LockMode = (typeof LOCK_MODES)[number];

export interface Lock {
  /** The relation, schema-qualified and quoted. */
  relation: string;
  mode: LockMode;
  /**
   * How long the statement keeps the lock: `instant` catalog work, `scan` reads the whole table, `build` builds an index,
   * `rewrite` writes the whole table anew.
   */
  hold: "instant" | "scan" | "build" | "rewrite";
}

export interface Statement {
  sql: string;
  locks: Lock[];
  /** False for statements that PostgreSQL refuses inside a transaction block. */
  transactional: boolean;
  /**
   * Relations whose users it waits for, whatever their locks: every transaction that used one when it began has to end.
   * Nobody waits behind it.
   */
  waitsFor?: string[];
  /** The same for relations of which only those matter who write to them. */
  waitsForWriters?: string[];
  /** Committed by itself: what comes before it and what comes after it are other transactions. */
  alone?: boolean;
  /** What the statements from this one on are for, when a step has several parts; shown above it. */
  part?: string;
  /** The step's own result is there before it, so that this one is sent without asking whether there is anything to do. */
  afterwards?: boolean;
  /** After it the relations are locked: the executor looks again whether they still are the ones planned for. */
  recheck?: boolean;
  /** After it the table is compared with its archive, which may take hours. */
  prove?: boolean;
  /** Sent once for each object of an archive, with its rows. */
  fills?: boolean;
  /** Sent by the proof that the statement before it has begun. */
  proves?: boolean;
  /** Sent with what the restore has got to by then. */
  marks?: boolean;
  /** Sent under a savepoint and tried again by itself, since what came before it in its transaction took long. */
  patient?: boolean;
  /**
   * After it the step's result has to be there. PostgreSQL knows names only, and no lock keeps a schema from getting another
   * name: whatever bore the name, it was the table that was planned for, or nothing is committed.
   */
  confirm?: boolean;
}
