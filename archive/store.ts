/** Where archives are kept: named objects that are written once and never changed. */
import type { Readable } from "node:stream";

/** An object as its store has it. */
export interface StoredObject {
  /** Path within the store, with `/` between its parts. */
  key: string;
  bytes: number;
  /** Which version of the key it is, where the store keeps several. */
  version?: string;
}

/** What the archive needs of a store. All methods reject with {@link StoreError}. */
export interface Store {
  /** As messages name it: without credentials. */
  readonly url: string;
  /**
   * Writes an object whole or not at all: until this resolves nobody sees it under its key, and after a kill at any
   * moment there is either the whole object or none. An object that is there already is never replaced.
   */
  write(key: string, content: Readable, signal?: AbortSignal): Promise<StoredObject>;
  /** The content, read from the store itself. */
  read(key: string, version?: string): Promise<Readable>;
  /** Undefined when there is none, or when it is deleted. */
  find(key: string, version?: string): Promise<StoredObject | undefined>;
  /** All objects whose keys begin so, in the order of their keys. */
  list(prefix: string): AsyncIterable<StoredObject>;
}

/** Why a store did not do as asked. */
export type StoreFailure = "missing" | "exists" | "refused" | "full" | "corrupt" | "unreachable";

export class StoreError extends Error {
  override name = "StoreError";

  constructor(
    readonly failure: StoreFailure,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
