/** The archive of one partitioned table, as the executor uses it. */
import type { ArchiveRun, Archiver } from "../postgres/archive/archiver";
import { ArchiveError } from "../postgres/errors";
import type { ArchiveSettings } from "../topology/archive";
import { announceDrop } from "./dropped";
import { exportPartition } from "./export";
import { listCopies, newestByOid } from "./inventory";
import type { Manifest } from "./manifest";
import type { Flow } from "./object";
import type { ParquetOptions } from "./parquet/copy";
import { proveTable } from "./proof";
import { ProofError } from "./proofError";
import { pieceBytesOf, RateLimit } from "./rate";
import { restoreTable } from "./restore";
import type { Store } from "./store";

const PROGRESS_MS = 1_000;

export class TableArchive implements Archiver {
  private readonly rate: RateLimit | undefined;

  constructor(
    private readonly store: Store,
    private readonly origin: Manifest["origin"],
    private readonly settings: Pick<ArchiveSettings, "format" | "level" | "parallel" | "bytesPerSecond">,
    private readonly parquet?: ParquetOptions,
  ) {
    const { bytesPerSecond } = settings;
    this.rate = bytesPerSecond === undefined ? undefined : new RateLimit(bytesPerSecond);
  }

  get parallel(): number {
    return this.settings.parallel;
  }

  async export(run: ArchiveRun): Promise<"done" | "reached"> {
    const { session, step, parent } = run;
    const { schema, partition: name, oid, bound } = step;
    if (oid === undefined || bound === undefined)
      throw new RangeError(`Step ${step.id} does not say what is exported.`);
    const keyColumns = parent.keyColumns.filter((column) => column !== null);
    const { written } = await exportPartition(
      session,
      { schema, name, oid, bound, keyColumns, ...(step.under && { under: step.under.name }) },
      {
        store: this.store,
        origin: this.origin,
        format: step.format ?? this.settings.format,
        level: this.settings.level,
        serverSide: step.serverSide,
        parquet: this.parquet,
        ...this.flow(run),
      },
    );
    return written ? "done" : "reached";
  }

  async prove(run: ArchiveRun): Promise<void> {
    const { session, step } = run;
    const { schema, partition: name, oid } = step;
    if (oid === undefined) throw new RangeError(`Step ${step.id} does not say what is dropped.`);
    const newest = newestByOid(await listCopies(this.store, this.origin, run.signal)).get(oid);
    if (newest === undefined)
      throw new ProofError("missing", `${this.store.url} has no finished export of ${schema}.${name}`);
    await proveTable(
      session,
      this.store,
      { schema, name, oid },
      { origin: this.origin, manifest: newest.manifest },
      this.flow(run),
    );
    await announceDrop(session, this.store, newest);
  }

  async restore(run: ArchiveRun): Promise<"done" | "reached"> {
    const { manifest } = run.step;
    if (manifest === undefined) throw new ArchiveError(`${run.step.id}: nothing says what is restored.`);
    return restoreTable({
      ...run,
      root: this.origin.parentOid,
      store: this.store,
      manifest: { ...manifest, bytes: 0 },
      ...this.flow(run),
    });
  }

  close(): void {
    this.store.close();
    this.parquet?.store.close();
  }

  /** Keeps to the rate, and tells how far it is. */
  private flow({ onProgress, signal }: ArchiveRun): Flow {
    const started = performance.now();
    let told = started;
    let bytes = 0;
    const onText = (more: number) => {
      bytes += more;
      const now = performance.now();
      if (now - told >= PROGRESS_MS) {
        told = now;
        onProgress({ bytes, bytesPerSecond: (bytes * 1_000) / (now - started) });
      }
      return this.rate?.take(more, signal);
    };
    return { signal, onText, pieceBytes: pieceBytesOf(this.settings.bytesPerSecond) };
  }
}
