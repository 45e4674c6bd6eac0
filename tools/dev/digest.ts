/**
 * What matters of the output of `pulumi preview` and `pulumi up`, line by line as it comes: of each table's plan the first step
 * of each kind in full, of partitions the first few, and no progress. Warnings and errors are never left out.
 */

/** Partitions shown in the list of resources. */
const PARTITIONS = 6;
/** Lines of one step: a large table has many columns. */
const LINES_OF_STEP = 16;

const PROGRESS = /(^@ )|( (creating|updating|deleting|reading|refreshing) \(\d+(\.\d+)?s\))/;
/** The same line comes again with what is planned. */
const ANNOUNCED =
  /^ [+~-]+\s+pgpartition:index:(Table|PartitionSet) \S+ (create|update|delete) (\[diff: [^\]]*\])?\s*$/;
const PARTITION = /^\s*[+~-]+\s+pgpartition:index:Partition /;
const BLOCK = /^ {2}\S+:\S+:\S+ \(.*\):$/;
const STEP = /^\s+\d+\. ([a-z ]+?) \S/;
const LOUD = /\b(error|warning): /;

export class Digest {
  private partitions = 0;
  private inDiagnostics = false;
  private kinds = new Set<string>();
  private steps = 0;
  /** Of the step that is being read; undefined: it is left out. */
  private lines: number | undefined = 0;

  /** Something but progress was left out. */
  isShortened = false;

  /** What is shown of the next line of output. */
  next(line: string): string[] {
    if (PROGRESS.test(line) || ANNOUNCED.test(line)) return [];
    const shown = this.shown(line);
    this.isShortened ||= shown.length === 0;
    return shown;
  }

  private shown(line: string): string[] {
    if (PARTITION.test(line)) return ++this.partitions <= PARTITIONS ? [line] : [];
    if (/^\S/.test(line)) {
      const before = [...this.endOfPartitions(), ...this.endOfBlock()];
      this.inDiagnostics = line.startsWith("Diagnostics:");
      return [...before, line];
    }
    return this.inDiagnostics ? this.diagnostic(line) : [line];
  }

  private diagnostic(line: string): string[] {
    if (BLOCK.test(line)) {
      const before = this.endOfBlock();
      this.kinds.clear();
      return [...before, line];
    }
    const kind = STEP.exec(line)?.[1];
    if (kind !== undefined) {
      this.lines = this.kinds.has(kind) ? undefined : 0;
      this.kinds.add(kind);
      if (this.lines === undefined) this.steps += 1;
    }
    if (LOUD.test(line)) return [line];
    if (line.trim() === "") return [line];
    if (this.lines === undefined) return [];
    this.lines += 1;
    if (this.lines === LINES_OF_STEP + 1) return [`${/^\s*/.exec(line)?.[0]}…`];
    return this.lines > LINES_OF_STEP ? [] : [line];
  }

  private endOfBlock(): string[] {
    const { steps } = this;
    this.steps = 0;
    this.lines = 0;
    return steps === 0 ? [] : [`      … and ${steps} more steps of these kinds`];
  }

  private endOfPartitions(): string[] {
    const more = this.partitions - PARTITIONS;
    this.partitions = 0;
    return more > 0 ? [`    … and ${more} more partitions`] : [];
  }
}
