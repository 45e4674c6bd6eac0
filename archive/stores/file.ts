/** A store in a directory: for development, for a mounted volume, and as a place to bring archives to. */

import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { link, mkdir, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { dirname, join, posix, relative, sep } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Cipher } from "../encryption";
import type { QueryStore } from "../parquet/store";
import { type StoredObject, StoreError, type StoreFailure } from "../store";

/** Names of files that are being written; no key ends so. */
const UNFINISHED = ".unfinished";

const FAILURES: Record<string, StoreFailure> = {
  ENOENT: "missing",
  EEXIST: "exists",
  EACCES: "refused",
  EPERM: "refused",
  EROFS: "refused",
  ENOSPC: "full",
  EDQUOT: "full",
};

export class FileStore implements QueryStore {
  readonly url: string;

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
      await mkdir(dirname(path), { recursive: true });
      try {
        await pipeline(content, createWriteStream(unfinished, { flags: "wx", flush: true }), { signal });
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
      const file = await open(this.pathOf(key), "r");
      return createReadStream("", { fd: file });
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
        return { key, bytes: (await stat(this.pathOf(key))).size };
      } catch (error) {
        if (codeOf(error) === "ENOENT") return undefined;
        throw error;
      }
    });
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const keys = (await this.files()).filter((key) => key.startsWith(prefix) && !key.endsWith(UNFINISHED)).sort();
    for (const key of keys) {
      const found = await this.find(key);
      if (found !== undefined) yield found;
    }
  }

  async sweep(prefix: string): Promise<number> {
    const unfinished = (await this.files()).filter((key) => key.startsWith(prefix) && key.endsWith(UNFINISHED));
    for (const key of unfinished) await this.attempt(key, () => unlink(join(this.directory, ...key.split("/"))));
    return unfinished.length;
  }

  close(): void {}

  private async files(): Promise<string[]> {
    const entries = await this.attempt("", async () => {
      try {
        return await readdir(this.directory, { recursive: true, withFileTypes: true });
      } catch (error) {
        if (codeOf(error) === "ENOENT") return [];
        throw error;
      }
    });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(this.directory, join(entry.parentPath, entry.name)).split(sep).join(posix.sep));
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
      const failure = FAILURES[codeOf(error) ?? ""];
      if (failure === undefined) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new StoreError(failure, `${this.url}/${key}: ${reason}`, { cause: error });
    }
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
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
