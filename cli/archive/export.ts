/** `pgpartition archive export`: a copy of an attached partition, as an update makes it. */
import { exportPartition } from "../../archive/export";
import { storedBytes } from "../../archive/manifest";
import { openParquet } from "../../archive/open";
import { pieceBytesOf, RateLimit } from "../../archive/rate";
import { DEFAULT_ADVISORY_WAIT, withParentLock } from "../../postgres/advisory";
import { readSet } from "../../postgres/catalog";
import type { Session } from "../../postgres/connection";
import { ArchiveError } from "../../postgres/errors";
import { qualified } from "../../postgres/identifiers";
import { systemClock } from "../../postgres/ladder";
import { readServer, UNREADABLE } from "../../postgres/server";
import { serverSideTarget } from "../../topology/archive";
import { describeBound } from "../../topology/bounds";
import type { ActualLevel, ActualParent, ActualPartition, RelationName } from "../../topology/model";
import { bytesText } from "../../topology/sizeText";
import type { ConnectionOptions } from "../connectionOptions";
import { STATUS, type Streams } from "../streams";
import { type StoreOptions, withSessions, withStore } from "./options";
import { Progress } from "./progress";

export type ExportCommandOptions = StoreOptions & ConnectionOptions;

export function exportByHand(
  relation: RelationName,
  name: string,
  options: ExportCommandOptions,
  { out, err }: Streams,
  signal?: AbortSignal,
): Promise<number> {
  return withStore(options, (store, settings) =>
    withSessions(
      options,
      1,
      (sessions) =>
        sessions.withSession(async (session) => {
          const { parent, partition, keyColumns, under } = await find(session, relation, name);
          const { systemIdentifier = UNREADABLE, database } = await readServer(session);
          const progress = new Progress(err, "exported", 1);
          const { format, level, bytesPerSecond } = settings;
          const limit = bytesPerSecond === undefined ? undefined : new RateLimit(bytesPerSecond);
          const work = () =>
            exportPartition(
              session,
              { ...partition, keyColumns, ...(under !== undefined && { under }) },
              {
                store,
                origin: { systemIdentifier, database, parent: relation, parentOid: parent.oid },
                format,
                level,
                serverSide: serverSideTarget(settings),
                parquet: openParquet(settings, new Date()),
                pieceBytes: pieceBytesOf(bytesPerSecond),
                onText: (bytes) => {
                  progress.read(bytes);
                  return limit?.take(bytes, signal);
                },
                signal,
              },
            );
          // An update that exports the same partition would otherwise take the same number.
          const lock = { oid: parent.oid, label: qualified(relation) };
          const { manifest, stored } = await withParentLock(
            session,
            lock,
            DEFAULT_ADVISORY_WAIT,
            systemClock,
            signal,
            work,
          );
          progress.finished();
          progress.end();
          const { rows, generation, bound } = manifest;
          const found = {
            store: store.url,
            manifest: stored.key,
            partition: name,
            generation,
            bound,
            rows,
            bytes: storedBytes(manifest),
          };
          if (options.json) out(`${JSON.stringify(found, undefined, 2)}\n`);
          else
            out(
              `${name} (${describeBound(bound)}): ${rows.toLocaleString("en-US")} rows, ${bytesText(found.bytes)}, ` +
                `export ${generation} in ${store.url}/${stored.key}\n`,
            );
          return STATUS.done;
        }),
      signal,
    ),
  );
}

interface Found {
  parent: ActualParent;
  partition: ActualPartition;
  keyColumns: string[];
  under?: string;
}

/** Of a detached table PostgreSQL does not know the bound any more; only the state of its stack does. */
async function find(session: Session, relation: RelationName, name: string): Promise<Found> {
  const { schema, name: table } = relation;
  const set = await readSet(session, { schema, table, names: [], known: {} });
  const { parent } = set;
  if (parent === undefined) throw new ArchiveError(`${qualified(relation)} is not a partitioned table here.`);
  const found = below({ keyColumns: parent.keyColumns, children: set.children }, name);
  if (found !== undefined) return { parent, ...found };
  throw new ArchiveError(
    `${name} is no attached partition of ${qualified(relation)}. A table that is detached is exported by an update of its stack, ` +
      "which knows its bound.",
  );
}

function below(
  { keyColumns, children }: Pick<ActualLevel, "keyColumns" | "children">,
  name: string,
  under?: string,
): Omit<Found, "parent"> | undefined {
  for (const partition of children) {
    if (partition.name === name) {
      const columns = keyColumns.filter((column) => column !== null);
      return { partition, keyColumns: columns, ...(under !== undefined && { under }) };
    }
    const found = partition.level && below(partition.level, name, partition.name);
    if (found !== undefined) return found;
  }
  return undefined;
}
