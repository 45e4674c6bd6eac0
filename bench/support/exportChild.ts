/**
 * One export in a process of its own, whose memory is then its own as well:
 * `node exportChild.js <job as JSON>` prints figures as JSON. Run by Node.js without a loader; it uses the build.
 */
import type { ExportedPartition } from "../../archive/export";
import type { Manifest } from "../../archive/manifest";
import type { ConnectionArgs } from "../../postgres/connection";

const { readFileSync } = require("node:fs") as typeof import("node:fs");
const { exportPartition } = require("../../dist/archive/export") as typeof import("../../archive/export");
const { openStore } = require("../../dist/archive/open") as typeof import("../../archive/open");
const { Sessions } = require("../../dist/postgres/connection") as typeof import("../../postgres/connection");
const { ARCHIVE_DEFAULTS } = require("../../dist/topology/archive") as typeof import("../../topology/archive");

export interface ExportJob {
  connection: ConnectionArgs;
  store: string;
  partition: ExportedPartition;
  origin: Manifest["origin"];
}

export interface ExportFigures {
  /** Until everything was written. */
  writeSeconds: number;
  /** From then on, until everything had been read again. */
  verifySeconds: number;
  cpuSeconds: number;
  peakBytes: number;
  rows: number;
  textBytes: number;
  storedBytes: number;
}

async function run({ connection, store: url, partition, origin }: ExportJob): Promise<ExportFigures> {
  const sessions = new Sessions(connection);
  const store = openStore({ store: url, ...ARCHIVE_DEFAULTS }, new Date());
  let verifying: number | undefined;
  const read = store.read.bind(store);
  store.read = (...args) => {
    verifying ??= performance.now();
    return read(...args);
  };
  const before = process.cpuUsage();
  const started = performance.now();
  const { manifest } = await sessions.withSession((session) => exportPartition(session, partition, { store, origin }));
  const ended = performance.now();
  const { user, system } = process.cpuUsage(before);
  await sessions.close();
  store.close();
  if (verifying === undefined) throw new Error("nothing was read again");
  const parts = manifest.leaves.flatMap((leaf) => leaf.parts);
  return {
    writeSeconds: (verifying - started) / 1000,
    verifySeconds: (ended - verifying) / 1000,
    cpuSeconds: (user + system) / 1e6,
    peakBytes: peakMemory(),
    rows: manifest.rows,
    textBytes: manifest.textBytes,
    storedBytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** What the kernel has seen of this process at most. */
function peakMemory(): number {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return kilobytes === undefined ? process.resourceUsage().maxRSS * 1024 : Number(kilobytes) * 1024;
}

run(JSON.parse(process.argv[2] ?? "{}") as ExportJob).then(
  (figures) => void process.stdout.write(`${JSON.stringify(figures)}\n`),
  (error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  },
);
