/** What the executor needs of an archive. */
import type { Step } from "../../topology/steps";
import type { Session } from "../connection";
import type { CatalogParent } from "../parent";

/** How far the copying of rows is. */
export interface ArchiveProgress {
  /** COPY text so far. */
  bytes: number;
  bytesPerSecond: number;
}

export interface ArchiveRun {
  session: Session;
  step: Step;
  /** The table that the step's partition belongs to. */
  parent: CatalogParent;
  signal?: AbortSignal;
  onProgress(progress: ArchiveProgress): void;
}

/** Carries out what goes into an archive and comes out of it. Its errors are {@link ArchiveError}s. */
export interface Archiver {
  /** Exports, or restores, at a time. */
  readonly parallel: number;
  /** Copies the rows of a partition, and reads from the archive what was written. */
  export(run: ArchiveRun): Promise<"done" | "reached">;
  /**
   * Compares a table with its archive, object by object, in a transaction that holds a lock which excludes writes, and says in
   * the archive that this transaction is about to drop it.
   * @throws ArchiveError: the table must stay.
   */
  prove(run: ArchiveRun): Promise<void>;
  /** Makes a table beside the parent and fills it. */
  restore(run: ArchiveRun): Promise<"done" | "reached">;
  /** Gives up connections to the store; whatever is asked of it next makes new ones. */
  close(): void;
}
