/** What a Parquet copy needs of a store beside what every archive needs. */
import type { Readable } from "node:stream";
import type { Store, StoredObject } from "../store";

/** A store in which objects may also be replaced: a folder of Parquet has one file for each part, or rows would count twice. */
export interface QueryStore extends Store {
  /** As `write`, but takes the place of what is there under this key; readers see the one or the other, whole. */
  replace(key: string, content: Readable, signal?: AbortSignal): Promise<StoredObject>;
  /** The last bytes of the content, all of it when there are fewer. */
  readEnd(key: string, bytes: number, version?: string): Promise<Buffer>;
}
