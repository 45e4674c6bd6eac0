/** A store whose reads are seen: to keep to a rate, and to tell how far one is. */
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type TextWatcher, watched } from "../object";
import type { Store } from "../store";

/** `onRead` is told the bytes that the store gives, as it has them; what it returns is waited for. */
export function watchedStore(store: Store, onRead: TextWatcher): Store {
  return {
    url: store.url,
    ...(store.cipher && { cipher: store.cipher }),
    write: (key, content, signal) => store.write(key, content, signal),
    async read(key, version): Promise<Readable> {
      const seen = watched(onRead);
      pipeline(await store.read(key, version), seen).catch((error: unknown) =>
        seen.destroy(error instanceof Error ? error : new Error(String(error))),
      );
      return seen;
    },
    find: (key, version) => store.find(key, version),
    list: (prefix, signal) => store.list(prefix, signal),
    sweep: (prefix, before, isOwn) => store.sweep(prefix, before, isOwn),
    close: () => store.close(),
  };
}
