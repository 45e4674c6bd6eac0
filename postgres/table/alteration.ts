/**
 * A change of a table that has to read rows: begun in a moment, then carried out partition by partition beside readers
 * and writers, and ended in a moment. What is half done can be seen in the catalog, so that the next run goes on. And
 * an index, which is built as the Index resource builds one. Types only.
 */
import type { IndexDeclaration } from "../../topology/index/model";
import type { Descendant } from "../../topology/table/model";
import type { Statement } from "../statement";
import type { Difference } from "./difference";

export interface Alteration {
  /** What it puts right. */
  difference: Difference;
  /** As in "adding …". */
  title: string;
  /** One transaction; empty when there is nothing to begin, or an earlier run has. */
  begin: Statement[];
  /** One after the other. */
  pieces: Piece[];
  /** One transaction, once all pieces are done. */
  finish: Statement[];
  /** One transaction that undoes `begin` when rows are in the way; empty when `begin` is. */
  takeBack: Statement[];
  /** A query that shows rows that are in the way. */
  offenders?: string;
}

/** What is done on one partition. */
export interface Piece {
  partition: Descendant;
  /** Each of them is committed by itself. */
  statements: Statement[];
  /** Undoes what of this piece is there when rows are in the way. */
  takeBack: Statement[];
}

/** An index that is to be made, completed or replaced on the table and all its partitions. */
export interface IndexWork {
  difference: Difference;
  index: IndexDeclaration;
  /** Paths of differences that have to be put right first. */
  requires: string[];
}
