/** A partition with rows, and somebody who damages archives. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import type { ExportedPartition } from "../../../archive/export";
import type { Manifest } from "../../../archive/manifest";
import { FileStore } from "../../../archive/stores/file";
import type { Session } from "../../../postgres/connection";
import { readServer } from "../../../postgres/server";
import type { TestDatabase } from "../../support/postgres";
import type { S3Server } from "../../support/s3";

/** What others may do to objects behind our back. */
export interface Vandal {
  read(key: string): Promise<Buffer>;
  put(key: string, content: Buffer): Promise<void>;
  remove(key: string): Promise<void>;
}

export function vandalOfDirectory(directory: string): Vandal {
  const path = (key: string) => join(directory, ...key.split("/"));
  return {
    read: (key) => readFile(path(key)),
    put: (key, content) => writeFile(path(key), content),
    remove: (key) => rm(path(key)),
  };
}

export function vandalOfBucket({ client }: S3Server, Bucket: string): Vandal {
  return {
    async read(Key) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      return buffer(Body as NodeJS.ReadableStream);
    },
    async put(Key, Body) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body }));
    },
    async remove(Key) {
      await client.send(new DeleteObjectCommand({ Bucket, Key }));
    },
  };
}

/** A bucket with versions, and the URL of a store in it. */
export async function newBucket(s3: S3Server): Promise<{ url: string; bucket: string }> {
  const bucket = await s3.createBucket({ versioned: true });
  return { bucket, url: `s3://${bucket}/archives/of%20tests?endpoint=${s3.endpoint}&region=${s3.region}` };
}

/** A partitioned table with two months of rows; January fills several parts of four blocks. */
export const EVENTS = `
CREATE TABLE events (id bigint, created_at timestamptz NOT NULL, payload text, PRIMARY KEY (id, created_at))
  PARTITION BY RANGE (created_at);
CREATE TABLE events_2024_01 PARTITION OF events FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-02-01 00:00+00');
CREATE TABLE events_2024_02 PARTITION OF events FOR VALUES FROM ('2024-02-01 00:00+00') TO ('2024-03-01 00:00+00');
INSERT INTO events SELECT i, '2024-01-01 00:00+00'::timestamptz + i * interval '10 min', 'payload ' || i || repeat('x', 50)
  FROM generate_series(0, 8000) AS i WHERE i * 10 < 60 * 24 * 60`;

/** Heap blocks of a part in tests. */
export const PART_BLOCKS = 20;

export async function originOf(session: Session, name = "events", schema = "public"): Promise<Manifest["origin"]> {
  const { systemIdentifier = "unreadable", database } = await readServer(session);
  const parentOid = await oidOf(session, name, schema);
  return { systemIdentifier, database, parent: { schema, name }, parentOid };
}

export async function oidOf(session: Session, name: string, schema = "public"): Promise<number> {
  const [row] = await session.query<{ oid: number }>(
    "SELECT c.oid::integer AS oid FROM pg_class c WHERE c.relname = $1 AND c.relnamespace = $2::regnamespace",
    [name, schema],
  );
  if (row === undefined) throw new Error(`there is no ${schema}.${name}`);
  return row.oid;
}

const MONTH = { from: "2024-01-01 00:00:00+00", to: "2024-02-01 00:00:00+00" };

export async function january(session: Session, name = "events_2024_01"): Promise<ExportedPartition> {
  return { schema: "public", name, oid: await oidOf(session, name), bound: MONTH, keyColumns: ["created_at"] };
}

/** Keys of everything in an archive of a directory. */
export async function keysIn(directory: string): Promise<string[]> {
  const store = new FileStore(directory);
  const keys: string[] = [];
  for await (const { key } of store.list("")) keys.push(key);
  return keys;
}

const CHANGES = "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::integer AS n FROM pg_stat_user_tables";

/** Changes rows, and waits until PostgreSQL's counters tell of them: a session reports when it ends, and 14 some time after. */
export async function changeRows(database: TestDatabase, sql: string): Promise<void> {
  const [writer, reader] = [await database.client(), await database.client()];
  const changes = async () => (await reader.query<{ n: number }>(CHANGES)).rows[0]?.n ?? 0;
  const before = await changes();
  const results = [await writer.query(sql)].flat();
  const changed = results.reduce((sum, { rowCount }) => sum + (rowCount ?? 0), 0);
  await writer.end();
  while ((await changes()) < before + changed);
  await reader.end();
}
