/** Exports of a large partition, beside the server's own COPY and the store's own put of the same bytes, in turn. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { Upload } from "@aws-sdk/lib-storage";
import type { Client } from "pg";
import { type ConnectionArgs, Sessions } from "../../postgres/connection";
import { january, originOf } from "../../test/integration/archive/support";
import { type TestDatabase, testServer } from "../../test/support/postgres";
import { type S3Server, sharedS3 } from "../../test/support/s3";
import { fillJanuary } from "./archiveTable";
import type { ExportFigures, ExportJob } from "./exportChild";

const CHILD = resolve(__dirname, "exportChild.ts");
/** The program that the server sends its rows to: the same library, level and number of threads. */
const COMPRESS = "zstd -q -3 --single-thread -f -o";

/** One round with one kind of store. */
export interface ExportRound {
  store: string;
  own: ExportFigures;
  /** Server-side `COPY … TO PROGRAM`. */
  copySeconds: number;
  /** The bytes of the export, put by themselves. */
  putSeconds: number;
}

/** Of the module's throughput, as a part of the slower of the two others. */
export function throughputOf({ own, copySeconds, putSeconds }: ExportRound): number {
  return Math.max(copySeconds, putSeconds) / own.writeSeconds;
}

interface Place {
  title: string;
  url: string;
  /** Puts a file of the disk into the store, in the simplest way that is safe. */
  put(file: string): Promise<void>;
  close(): Promise<void>;
}

export async function* measureExports(
  { rows, rounds }: { rows: number; rounds: number },
  tell: (text: string) => void,
): AsyncGenerator<ExportRound> {
  const database = await (await testServer(18)).createDatabase();
  const scratch = await mkdtemp(join(process.env.PGPARTITION_TEST_ROOT ?? tmpdir(), "archive-"));
  // The server, which runs as another user, writes there.
  await chmod(scratch, 0o777);
  try {
    const client = await database.client("bench");
    tell(`${rows.toLocaleString("en-US")} rows are made …`);
    await fillJanuary(client, rows);
    for (let round = 1; round <= rounds; round++)
      for (const place of [await directoryIn(scratch), await bucketOf(await sharedS3())]) {
        tell(`round ${round}, ${place.title} …`);
        yield await measure(database, client, place, scratch);
        await place.close();
      }
  } finally {
    await database.drop();
    await rm(scratch, { recursive: true, force: true });
  }
}

async function measure(database: TestDatabase, client: Client, place: Place, scratch: string): Promise<ExportRound> {
  const file = join(scratch, "plain.zst");
  const copySeconds = await seconds(() => client.query(`COPY events_2024_01 TO PROGRAM '${COMPRESS} ${file}'`));
  const putSeconds = await seconds(() => place.put(file));
  await rm(file, { force: true });
  return { store: place.title, copySeconds, putSeconds, own: await exported(database, place.url) };
}

async function exported({ connection: { user: username, ...rest } }: TestDatabase, store: string) {
  const connection: ConnectionArgs = { ...rest, username };
  const sessions = new Sessions(connection);
  const job: ExportJob = await sessions.withSession(async (session) => ({
    connection,
    store,
    partition: await january(session),
    origin: await originOf(session),
  }));
  await sessions.close();
  const child = spawn(process.execPath, [CHILD, JSON.stringify(job)], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "close");
  const said = await text(child.stdout);
  const [status] = await ended;
  if (status !== 0) throw new Error(`the export ended with ${status}`);
  return JSON.parse(said) as ExportFigures;
}

async function seconds(action: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await action();
  return (performance.now() - started) / 1000;
}

async function directoryIn(scratch: string): Promise<Place> {
  const directory = await mkdtemp(join(scratch, "store-"));
  return {
    title: "directory",
    url: `file://${directory}`,
    put: (file) => pipeline(createReadStream(file), createWriteStream(join(directory, "put"), { flush: true })),
    close: () => rm(directory, { recursive: true }),
  };
}

async function bucketOf(s3: S3Server): Promise<Place> {
  const Bucket = await s3.createBucket();
  return {
    title: "S3 server",
    url: `s3://${Bucket}?region=${s3.region}&endpoint=${s3.endpoint}`,
    async put(file) {
      await new Upload({ client: s3.client, params: { Bucket, Key: "put", Body: createReadStream(file) } }).done();
    },
    close: () => s3.emptyBucket(Bucket),
  };
}
