/** One way in which a table is not as declared. */

/** What is different, and so what could be done about it. */
export type DifferenceKind =
  | "partitionKey"
  | "columnMissing"
  | "columnType"
  | "columnNullable"
  | "columnDefault"
  | "columnIdentity"
  | "columnGenerated"
  | "columnCollation"
  | "columnComment"
  | "columnStatistics"
  | "columnUndeclared"
  | "primaryKeyMissing"
  | "primaryKeyChanged"
  | "uniqueMissing"
  | "uniqueChanged"
  | "checkMissing"
  | "checkChanged"
  | "foreignKeyMissing"
  | "foreignKeyChanged"
  | "constraintUndeclared"
  | "indexMissing"
  | "indexChanged"
  | "indexUndeclared"
  | "comment"
  | "owner"
  | "notCompared";

export interface Difference {
  kind: DifferenceKind;
  /** `info`: nothing to be done, only to be known. */
  severity: "change" | "info";
  /** Property path in the inputs, such as `columns[3].type`. */
  path: string;
  /** As declared, in PostgreSQL's spelling; undefined when nothing is. */
  declared?: string;
  /** As it is, in PostgreSQL's spelling; undefined when nothing is. */
  actual?: string;
  /** A full sentence. */
  reason: string;
  /** The entry of the declared list that this is about. */
  position?: number;
  /** Of a missing column: adding it changes the catalog only. */
  instant?: boolean;
}
