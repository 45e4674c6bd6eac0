/** Writes rows of COPY text as a file of Parquet, one group of rows at a time. */
import { zstdCompressSync } from "node:zlib";
import type { ColumnSource } from "hyparquet-writer";
import { ArchiveError } from "../../postgres/errors";
import type { ParquetColumn } from "../../topology/parquet";
import { parquetWriter } from "./library";
import { type ColumnSum, ColumnSummer } from "./sums";
import { copiedRows, type Fields } from "./text";
import { codecOf, elementOf, type PhysicalValue, type ValueCodec, ValueRefused } from "./values";

/** A group is held in memory as JavaScript values, several times its text. */
const GROUP_BYTES = 4 * 2 ** 20;
const GROUP_ROWS = 65_536;

/** What a file says of itself, in its footer. */
export interface FileClaim {
  /** SHA-256 of the object of COPY text whose rows these are. */
  source: string;
  rows: number;
  /** By name, in the order of the file. */
  columns: Record<string, ColumnSum>;
}

export const CLAIM_KEY = "pgpartition";

/** A column with its place in a row of the text. */
export interface PlacedColumn {
  column: ParquetColumn;
  at: number;
}

/** The bytes of a file; `onEnd` is told what it holds, before its footer is made. */
export async function* parquetFile(
  text: AsyncIterable<Buffer>,
  placed: readonly PlacedColumn[],
  source: string,
  onEnd: (claim: FileClaim) => void,
): AsyncGenerator<Buffer> {
  const { ByteWriter, ParquetWriter } = await parquetWriter();
  const bytes = new ByteWriter();
  const taken = () => {
    const copied = Buffer.from(bytes.getBytes());
    bytes.index = 0;
    return copied;
  };
  const schema = [{ name: "rows", num_children: placed.length }, ...placed.map(({ column }) => elementOf(column))];
  const compressors = { ZSTD: (page: Uint8Array) => new Uint8Array(zstdCompressSync(page)) };
  const file = new ParquetWriter({
    writer: bytes,
    schema,
    codec: "ZSTD",
    compressors,
    createdBy: "pulumi-pgpartition",
  });
  const group = new RowGroup(placed);
  for await (const rows of copiedRows(text)) {
    for (const fields of rows) {
      group.add(fields);
      if (!group.isFull) continue;
      await file.write(group.take());
      yield taken();
    }
  }
  if (group.size > 0) await file.write(group.take());
  const claim: FileClaim = { source, rows: group.rows, columns: group.sums() };
  onEnd(claim);
  file.kvMetadata = [{ key: CLAIM_KEY, value: JSON.stringify(claim) }];
  await file.finish();
  yield taken();
}

/** Rows by column, until there are enough for a group. */
class RowGroup {
  /** Of all groups. */
  rows = 0;
  /** Of this one. */
  size = 0;
  private bytes = 0;
  private readonly columns: ColumnValues[];

  constructor(placed: readonly PlacedColumn[]) {
    this.columns = placed.map((column) => new ColumnValues(column));
  }

  get isFull(): boolean {
    return this.size >= GROUP_ROWS || this.bytes >= GROUP_BYTES;
  }

  add(fields: Fields): void {
    for (const column of this.columns) this.bytes += column.add(fields);
    this.size += 1;
    this.rows += 1;
  }

  take(): { columnData: ColumnSource[]; rowGroupSize: number } {
    const taken = { columnData: this.columns.map((column) => column.take()), rowGroupSize: this.size };
    this.size = 0;
    this.bytes = 0;
    return taken;
  }

  sums(): Record<string, ColumnSum> {
    return Object.fromEntries(this.columns.map((column) => [column.name, column.summer.end()]));
  }
}

class ColumnValues {
  readonly name: string;
  readonly summer = new ColumnSummer();
  private readonly at: number;
  private readonly codec: ValueCodec;
  private readonly encoding: ColumnSource["encoding"];
  private values: (PhysicalValue | null)[] = [];

  constructor({ column, at }: PlacedColumn) {
    this.name = column.name;
    this.at = at;
    this.codec = codecOf(column);
    // The writer's dictionaries take 0 and -0 for one value.
    this.encoding = column.kind === "float32" || column.kind === "float64" ? "PLAIN" : undefined;
  }

  /** How many bytes of text that was. */
  add(fields: Fields): number {
    const text = fields[this.at];
    if (text === undefined)
      throw new ArchiveError(`a row has ${fields.length} columns, and ${this.name} is not among them`);
    this.summer.add(text === null ? null : (this.codec.canonical?.(text) ?? text));
    this.values.push(text === null ? null : this.physical(text));
    return text?.length ?? 1;
  }

  take(): ColumnSource {
    const { name, encoding, values: data } = this;
    this.values = [];
    return { name, data, encoding };
  }

  private physical(text: Buffer): PhysicalValue {
    try {
      return this.codec.toPhysical(text);
    } catch (error) {
      if (!(error instanceof ValueRefused)) throw error;
      const advice = `declare archive.parquet.columns: {${this.name}: "string"} (its text), or "omit"`;
      throw new ArchiveError(`a Parquet copy cannot hold a value of column ${this.name}: ${error.message}; ${advice}`);
    }
  }
}
