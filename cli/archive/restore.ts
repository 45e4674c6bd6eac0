/** `pgpartition archive restore`: rows of an archive into a table by itself. */
import { restoreBeside } from "../../archive/beside";
import type { StoredPartition } from "../../archive/catalogue";
import type { ListedCopy } from "../../archive/keys";
import { RateLimit } from "../../archive/rate";
import type { Store } from "../../archive/store";
import { watchedStore } from "../../archive/stores/watched";
import { nameWithSuffix } from "../../postgres/identifiers";
import type { RelationName } from "../../topology/model";
import type { ConnectionOptions } from "../connectionOptions";
import { STATUS, type Streams } from "../streams";
import { titleOf } from "./identity";
import { type SelectionOptions, type StoreOptions, select, withSessions, withStore } from "./options";
import { Progress } from "./progress";

export type RestoreOptions = StoreOptions &
  SelectionOptions &
  ConnectionOptions & { into?: RelationName; where?: string; export?: number; indexes: boolean; rate?: number };

export function restore(
  name: string,
  options: RestoreOptions,
  { out, err }: Streams,
  signal?: AbortSignal,
): Promise<number> {
  const { where, indexes, rate } = options;
  return withStore(options, async (store) => {
    const { stored, copy } = await chosen(store, name, options, signal);
    const into = options.into ?? besideName(stored);
    const progress = new Progress(err, "restored", 1);
    const limit = rate === undefined ? undefined : new RateLimit(rate);
    const seen = watchedStore(store, (bytes) => {
      progress.read(bytes);
      return limit?.take(bytes, signal);
    });
    return withSessions(
      options,
      1,
      async (sessions) => {
        const run = {
          store: seen,
          manifest: copy.manifest,
          into,
          indexes,
          ...(where !== undefined && { where }),
          signal,
        };
        const done = await sessions.withSession((session) => restoreBeside({ session, ...run }));
        progress.finished();
        progress.end();
        const { rows, reached, manifest } = done;
        const found = {
          database: sessions.target,
          into,
          rows,
          of: manifest.rows,
          where,
          manifest: copy.manifest.key,
          reached,
        };
        if (options.json) out(`${JSON.stringify(found, undefined, 2)}\n`);
        else {
          const number = (value: number) => value.toLocaleString("en-US");
          const already = reached ? " Nothing was to be done: an earlier run has restored them." : "";
          out(
            `${into.schema}.${into.name} of ${sessions.target}: ${number(rows)} of the ${number(manifest.rows)} rows of ${name}.${already}\n`,
          );
        }
        return STATUS.done;
      },
      signal,
    );
  });
}

async function chosen(
  store: Store,
  name: string,
  options: RestoreOptions,
  signal?: AbortSignal,
): Promise<{ stored: StoredPartition; copy: ListedCopy }> {
  const found = await select(store, options, [name], signal);
  const [stored] = found;
  if (found.length > 1) {
    const titles = found.map(({ origin }) => titleOf(origin)).join("; ");
    throw new RangeError(`${name} is a partition of several tables: ${titles}. Say which: --table, --source.`);
  }
  const copy = stored?.copies.find(({ generation }) => options.export === undefined || generation === options.export);
  if (stored !== undefined && copy !== undefined) return { stored, copy };
  const which = options.export === undefined ? "finished export" : `export ${options.export}`;
  throw new RangeError(`${store.url} has no ${which} of ${name}; pgpartition archive list shows what is there.`);
}

/** Beside the partition's own place, under a name that says what it is. */
function besideName({ origin, partition }: StoredPartition): RelationName {
  return { schema: origin.parent.schema, name: nameWithSuffix(partition, "_restored") };
}
