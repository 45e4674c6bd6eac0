/** `pgpartition archive list`: what a store holds. */
import { type ListedArchive, listArchives } from "../../archive/listing";
import { storedBytes } from "../../archive/manifest";
import type { Presence } from "../../archive/presence";
import { describeBound } from "../../topology/bounds";
import { bytesText } from "../../topology/sizeText";
import { columns } from "../columns";
import { STATUS, type Streams } from "../streams";
import { identity, titleOf } from "./identity";
import {
  type CompareOptions,
  isOf,
  type SelectionOptions,
  type StoreOptions,
  select,
  withDatabase,
  withStore,
} from "./options";

export type ListOptions = StoreOptions & SelectionOptions & CompareOptions;

/** What is said of the table; without a database nothing is. */
const PRESENCE: Record<Presence["kind"], string> = {
  gone: "gone",
  unchanged: "there",
  changed: "there, may have changed",
  restored: "there, restored",
};

export function list(names: readonly string[], options: ListOptions, { out, err }: Streams): Promise<number> {
  return withStore(options, (store) =>
    withDatabase(options, 1, async (database) => {
      const stored = await select(store, options, names);
      const listed = await listArchives(
        store,
        stored,
        database && { ...database, isOf: (origin) => isOf(database, origin) },
      );
      if (options.json) {
        const compared = database?.sessions.target ?? null;
        out(`${JSON.stringify({ store: store.url, compared, archives: listed.map(asJson) }, undefined, 2)}\n`);
      } else out(listed.length === 0 ? `${store.url} holds no such archive.\n` : text(listed));
      for (const { stored: of, failure } of listed) if (failure !== undefined) err(`${of.partition}: ${failure}\n`);
      return listed.some(({ failure }) => failure !== undefined) ? STATUS.impossible : STATUS.done;
    }),
  );
}

function asJson({ stored: { origin, partition, copies }, manifest, presence, failure }: ListedArchive) {
  const [newest] = copies;
  return {
    ...identity(origin),
    partition,
    copies: copies.length,
    ...(newest && { generation: newest.generation, manifest: newest.manifest.key }),
    ...(manifest && {
      bound: manifest.bound,
      rows: manifest.rows,
      bytes: storedBytes(manifest),
      textBytes: manifest.textBytes,
      tableBytes: manifest.tableBytes,
      exportedAt: manifest.exportedAt,
    }),
    ...(presence && { presence: presence.kind }),
    ...(failure !== undefined && { failure }),
  };
}

const HEAD = ["partition", "bound", "rows", "stored", "export", "at", "table"];

function text(listed: readonly ListedArchive[]): string {
  const tables = new Map<string, ListedArchive[]>();
  for (const archive of listed) {
    const title = titleOf(archive.stored.origin);
    tables.set(title, [...(tables.get(title) ?? []), archive]);
  }
  return [...tables]
    .map(([title, archives]) => `${title}\n${columns(HEAD, archives.map(row), ["rows", "stored", "export"])}`)
    .join("\n");
}

function row({ stored: { partition, copies }, manifest, presence }: ListedArchive): string[] {
  if (manifest === undefined) return [partition, "", "", "", copies.length === 0 ? "unfinished" : "unreadable"];
  return [
    partition,
    describeBound(manifest.bound),
    manifest.rows.toLocaleString("en-US"),
    bytesText(storedBytes(manifest)),
    String(manifest.generation),
    manifest.exportedAt.slice(0, 16),
    presence === undefined ? "not asked" : PRESENCE[presence.kind],
  ];
}
