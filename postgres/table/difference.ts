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
  | "constraintRemoved"
  | "constraintLeftOver"
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
  /** Of a missing column or another type: the change concerns the catalog only, no row is rewritten. */
  instant?: boolean;
  /** Of another type: what stands on the column and would be built or checked anew, in PostgreSQL's words. */
  dependents?: string[];
  /** What the declared constraint or index says, in PostgreSQL's spelling. */
  content?: Content;
  /** The constraint or index that stands for the declared one, or that is not declared. */
  counterpart?: string;
  /** Of a removed constraint: its place in the declaration of the last update. */
  former?: { property: RemovableProperty; position: number };
  /** Of a removed constraint: what keeps it there, in a full sentence. */
  obstacle?: string;
}

/** Properties whose entries are removed from the table when the program leaves them out. */
export type RemovableProperty = "primaryKey" | "unique" | "checks" | "foreignKeys";

/** What a constraint or index says, by property; equal contents mean the same thing. */
export type Content = Record<string, string | undefined>;
