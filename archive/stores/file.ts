/** A store in a directory: for development, for a mounted volume, and as a place to bring archives to. */

import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream, type Dirent, type Stats, type WriteStream } from "node:fs";
import { link, mkdir, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Cipher } from "../encryption";
import type { QueryStore } from "../parquet/store";
import { ContentError, type StoredObject, StoreError, type StoreFailure } from "../store";

/** As much as is read at once. */
const READ_BYTES = 2 ** 20;

/** Names of files that are being written end so, after an UUID; no key does. */
const UNFINISHED = ".unfinished";

/** `<key>.<UUID>.unfinished`: what {@link FileStore} itself calls a file. */
const OWN_UNFINISHED = /^(.+)\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.unfinished$/;

const FAILURES: Record<string, StoreFailure> = {
  ENOENT: "missing",
  EEXIST: "exists",
  EACCES: "refused",
  EPERM: "refused",
  EROFS: "refused",
  ENOSPC: "full",
  EDQUOT: "full",
  EFBIG: "full",
  EIO: "unreachable",
  ESTALE: "unreachable",
  ENODEV: "unreachable",
  ENOTCONN: "unreachable",
  ETIMEDOUT: "unreachable",
};

export class FileStore implements QueryStore {
  readonly url: string;
  /** Which directory it was when this store first looked; undefined: there was none yet. */
  private root: string | undefined;

  constructor(
    private readonly directory: string,
    readonly cipher?: Cipher,
  ) {
    this.url = `file://${directory}`;
  }

  write(key: string, content: Readable, signal?: AbortSignal): Promise<StoredObject> {
    // Unlike rename, link never replaces a file.
    return this.put(key, content, link, signal);
  }

  replace(key: string, content: Readable, signal?: AbortSignal): Promise<StoredObject> {
    return this.put(key, content, rename, signal);
  }

  private async put(
    key: string,
    content: Readable,
    intoPlace: (unfinished: string, path: string) => Promise<void>,
    signal: AbortSignal | undefined,
  ): Promise<StoredObject> {
    const path = this.pathOf(key);
    const unfinished = `${path}.${randomUUID()}${UNFINISHED}`;
    return this.attempt(key, async () => {
      await this.requireSameRoot();
      await made(dirname(path));
      try {
        await filled(createWriteStream(unfinished, { flags: "wx", flush: true }), content, signal);
        await this.requireSameRoot();
        await intoPlace(unfinished, path);
      } finally {
        await unlink(unfinished).catch(() => undefined);
      }
      await flushDirectories(this.directory, dirname(path));
      return { key, bytes: (await stat(path)).size };
    });
  }

  async read(key: string): Promise<Readable> {
    return this.attempt(key, async () => {
      await this.requireSameRoot();
      const file = await open(this.pathOf(key), "r");
      return Readable.from(this.pieces(key, createReadStream("", { fd: file, highWaterMark: READ_BYTES })), {
        objectMode: false,
      });
    });
  }

  async readEnd(key: string, bytes: number): Promise<Buffer> {
    return this.attempt(key, async () => {
      const file = await open(this.pathOf(key), "r");
      try {
        const { size } = await file.stat();
        const end = Buffer.alloc(Math.min(bytes, size));
        await file.read(end, 0, end.length, size - end.length);
        return end;
      } finally {
        await file.close();
      }
    });
  }

  async find(key: string): Promise<StoredObject | undefined> {
    return this.attempt(key, async () => {
      try {
        const found = await stat(this.pathOf(key));
        if (found.isFile()) return { key, bytes: found.size };
        throw new StoreError("refused", `${this.url}/${key} is no file`);
      } catch (error) {
        if (codeOf(error) === "ENOENT") return undefined;
        throw error;
      }
    });
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncIterable<StoredObject> {
    const keys = (await this.files(prefix, signal)).filter((key) => !key.endsWith(UNFINISHED)).sort();
    for (const key of keys) {
      signal?.throwIfAborted();
      const found = await this.find(key);
      if (found !== undefined) yield found;
    }
  }

  async sweep(prefix: string, before: Date, isOwn: (key: string) => boolean): Promise<number> {
    const unfinished = (await this.files(prefix)).filter((name) => isOwn(OWN_UNFINISHED.exec(name)?.[1] ?? ""));
    let swept = 0;
    for (const key of unfinished)
      if (await this.attempt(key, () => unlinkIfOlder(this.pathOf(key), before))) swept += 1;
    return swept;
  }

  close(): void {}

  private async *pieces(key: string, file: Readable): AsyncGenerator<Buffer> {
    try {
      yield* file;
    } catch (error) {
      throw this.explained(key, error);
    }
  }

  private async files(prefix: string, signal?: AbortSignal): Promise<string[]> {
    const above = prefix.split("/").slice(0, -1);
    const keys = await this.attempt(prefix, async () => {
      await this.requireSameRoot();
      return filesBelow(this.directory, above, signal);
    });
    return keys.filter((key) => key.startsWith(prefix));
  }

  /**
   * A disk that goes away in the middle of a run leaves an empty directory in its place: rows that were written there would
   * be proven, and not be there when the disk is back.
   */
  private async requireSameRoot(): Promise<void> {
    const now = await identityOf(this.directory);
    if (this.root !== undefined && this.root !== now) {
      const what = now === undefined ? "is gone" : "is another directory";
      throw new StoreError("unreachable", `${this.url} ${what} than when this run began: unmounted, or moved`);
    }
    this.root = now;
  }

  private pathOf(key: string): string {
    const parts = key.split("/");
    if (parts.some((part) => part === "" || part === "." || part === "..")) {
      throw new StoreError("refused", `${JSON.stringify(key)} is no key of an object in ${this.url}`);
    }
    return join(this.directory, ...parts);
  }

  private async attempt<T>(key: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw this.explained(key, error);
    }
  }

  /** Of an error that is not the file system's doing: that error. */
  private explained(key: string, error: unknown): unknown {
    if (error instanceof ContentError) return error.cause;
    const code = codeOf(error);
    if (error instanceof StoreError || code === undefined || !(error instanceof Error && "syscall" in error))
      return error;
    return new StoreError(FAILURES[code] ?? "refused", `${this.url}/${key}: ${error.message}`, { cause: error });
  }
}

/** Undefined: there is none. */
async function identityOf(directory: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(directory);
    return `${dev}:${ino}`;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * One by one: on a file system that is read-only, `recursive` says ENOENT of a directory that cannot be made. A file in the
 * place of a directory is told as that, and not as an object that is there already.
 */
async function made(directory: string): Promise<void> {
  try {
    await mkdir(directory);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" && dirname(directory) !== directory) {
      await made(dirname(directory));
      return made(directory);
    }
    if (code !== "EEXIST") throw error;
    if (!(await stat(directory)).isDirectory())
      throw new StoreError("refused", `${directory} is no directory`, { cause: error });
  }
}

/** So many directories no archive has below each other; a link that leads back ends here. */
const DEEPEST = 16;

/** Keys of all files below a directory. Links are followed, as they are in reading a file. */
async function filesBelow(root: string, at: readonly string[], signal?: AbortSignal): Promise<string[]> {
  signal?.throwIfAborted();
  if (at.length > DEEPEST) return [];
  const found: string[] = [];
  for (const entry of await entriesIn(join(root, ...at))) {
    const path = [...at, entry.name];
    const what = entry.isSymbolicLink() ? await targetOf(join(root, ...path)) : entry;
    if (what?.isDirectory()) found.push(...(await filesBelow(root, path, signal)));
    else if (what?.isFile()) found.push(path.join("/"));
  }
  return found;
}

async function entriesIn(directory: string): Promise<Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** Undefined: it leads nowhere. */
async function targetOf(link: string): Promise<Stats | undefined> {
  try {
    return await stat(link);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** An error of either ends both: it belongs to the one that had it first. */
async function filled(file: WriteStream, content: Readable, signal: AbortSignal | undefined): Promise<void> {
  let culprit: Readable | WriteStream | undefined;
  for (const stream of [content, file])
    stream.on("error", () => {
      culprit ??= stream;
    });
  try {
    await pipeline(content, file, { signal });
  } catch (error) {
    throw culprit === content ? new ContentError(error) : error;
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Its writer may have ended in the meantime, and have taken it away. */
async function unlinkIfOlder(path: string, before: Date): Promise<boolean> {
  try {
    if ((await stat(path)).mtime >= before) return false;
    await unlink(path);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

/** A name is on the disk only when its directory is. */
async function flushDirectories(root: string, deepest: string): Promise<void> {
  for (let directory = deepest; directory.startsWith(root); directory = dirname(directory)) {
    const handle = await open(directory, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}
