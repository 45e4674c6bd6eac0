/** Where archives are kept: named objects that are written once and never changed. */
import type { Readable } from "node:stream";
import { ArchiveError } from "../postgres/errors";
import type { Cipher } from "./encryption";

/** An object as its store has it. */
export interface StoredObject {
  /** Path within the store, with `/` between its parts. */
  key: string;
  bytes: number;
  /** Which version of the key it is, where the store keeps several. */
  version?: string;
}

/** An object as a listing tells it. */
export interface ListedObject extends StoredObject {
  /** Of S3; a directory has none. */
  storageClass?: string;
  /** When S3 took it: what minimum storage times count from. Nothing is decided by it. */
  written?: Date;
}

/** What the archive needs of a store. All methods reject with {@link StoreError}. */
export interface Store {
  /** As messages name it: without credentials. */
  readonly url: string;
  /** Encrypts and decrypts the rows that are kept here. Absent: they are kept as they are. */
  readonly cipher?: Cipher;
  /**
   * Writes an object whole or not at all: until this resolves nobody sees it under its key, and after a kill at any
   * moment there is either the whole object or none. An object that is there already is never replaced.
   */
  write(key: string, content: Readable, signal?: AbortSignal): Promise<StoredObject>;
  /** The content, read from the store itself. */
  read(key: string, version?: string): Promise<Readable>;
  /** Undefined when there is none, or when it is deleted. */
  find(key: string, version?: string): Promise<StoredObject | undefined>;
  /** All objects whose keys begin so, in the order of their keys. Of a large archive that takes minutes. */
  list(prefix: string, signal?: AbortSignal): AsyncIterable<ListedObject>;
  /**
   * Removes what writers of own keys that were killed have left under a prefix, unless something was added to it since
   * `before`: its writer may be alive. Says how many were removed.
   */
  sweep(prefix: string, before: Date, isOwn: (key: string) => boolean): Promise<number>;
  /** Gives up connections; whatever is asked of it next makes new ones. */
  close(): void;
}

/** Why a store did not do as asked, and what to do about it. */
export const STORE_FAILURES = {
  missing: "it is not there, or has been deleted",
  exists: "there is another object under this key, and objects of an archive are never replaced",
  refused: "check the settings of the store, the credentials, and their rights on this prefix",
  full: "there is no place left, or a quota is used up",
  frozen: "its storage class has to be restored first (S3 RestoreObject), which takes minutes to hours",
  corrupt: "what the store gives is not what was written",
  unreachable: "the store does not answer; try again",
} as const;

export type StoreFailure = keyof typeof STORE_FAILURES;

export class StoreError extends ArchiveError {
  override name = "StoreError";
  /** What to do about it. */
  readonly advice: string;

  constructor(
    readonly failure: StoreFailure,
    /** What happened to which object, without what to do about it, which is `advice`. */
    readonly reason: string,
    { advice = STORE_FAILURES[failure], ...options }: ErrorOptions & { advice?: string } = {},
  ) {
    super(`${reason} (${advice})`, options);
    this.advice = advice;
  }
}

/** What was to be written could not be had: of no concern to who looks for faults of the store. */
export class ContentError extends Error {
  constructor(override readonly cause: unknown) {
    super();
  }
}
