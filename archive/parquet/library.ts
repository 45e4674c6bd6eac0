/** The libraries that write and read Parquet; loaded by who has a Parquet copy only, and optional for all others. */
import type * as Reader from "hyparquet";
import type * as Writer from "hyparquet-writer";
import { missingLibrary } from "../library";

export const parquetWriter = (): Promise<typeof Writer> => loaded("hyparquet-writer", () => import("hyparquet-writer"));
export const parquetReader = (): Promise<typeof Reader> => loaded("hyparquet", () => import("hyparquet"));

/** @throws ArchiveError when the libraries are not installed. */
export async function requireParquet(): Promise<void> {
  await Promise.all([parquetWriter(), parquetReader()]);
}

async function loaded<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const need = `archive.parquet needs the package ${name}, an optional dependency that was left out`;
    throw missingLibrary(need, name, error);
  }
}
