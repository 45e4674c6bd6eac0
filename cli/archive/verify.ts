/** `pgpartition archive verify`: reads archives again, and grades them. */
import { type Audited, auditArchive } from "../../archive/audit";
import type { StoredPartition } from "../../archive/catalogue";
import { type Finding, GRADES, type Grade, worst } from "../../archive/grade";
import { inTurns } from "../../archive/inTurns";
import { identifyKey } from "../../archive/keys";
import type { Manifest } from "../../archive/manifest";
import { storedBytes } from "../../archive/manifest";
import { openParquet } from "../../archive/open";
import { readPresence, requireSame } from "../../archive/presence";
import { RateLimit } from "../../archive/rate";
import { watchedStore } from "../../archive/stores/watched";
import { bytesText } from "../../topology/sizeText";
import { columns } from "../columns";
import type { Streams } from "../streams";
import { identity } from "./identity";
import {
  type CompareOptions,
  type Database,
  isOf,
  type SelectionOptions,
  type StoreOptions,
  select,
  withDatabase,
  withStore,
} from "./options";
import { Progress } from "./progress";

export type VerifyOptions = StoreOptions &
  SelectionOptions &
  CompareOptions & { all?: boolean; parallel: number; rate?: number; trustCounters?: boolean };

/** Nothing in the store says that it was to be there; only whoever asked for it. */
interface Absent {
  partition: string;
  grade: "MISSING";
  findings: Finding[];
}

type Result = Audited | Absent;

export function verify(
  names: readonly string[],
  options: VerifyOptions,
  { out, err }: Streams,
  signal?: AbortSignal,
): Promise<number> {
  if ((names.length === 0) === !options.all) throw new RangeError("Name partitions, or say --all.");
  const { parallel, rate, trustCounters } = options;
  return withStore(options, (store, settings) =>
    withDatabase(
      options,
      parallel,
      async (database) => {
        const stored = await select(store, options, names, signal);
        const progress = new Progress(err, "verified", stored.length);
        const limit = rate === undefined ? undefined : new RateLimit(rate);
        const seen = watchedStore(store, (bytes) => {
          progress.read(bytes);
          return limit?.take(bytes, signal);
        });
        const queries = openParquet(settings, new Date())?.store ?? store;
        const audited = await inTurns(stored, parallel, async (one) => {
          const result = await auditArchive(seen, one, {
            ...comparison(database, one, { trustCounters, signal }),
            queries,
            signal,
          });
          progress.finished();
          return result;
        });
        progress.end();
        const absent = [...names, ...(names.length === 0 && stored.length === 0 ? ["any partition"] : [])].filter(
          (name) => !stored.some(({ partition }) => partition === name),
        );
        const results: Result[] = [
          ...audited.filter((result) => result !== undefined),
          ...absent.map((partition) => absence(store.url, partition)),
        ];
        const grade = worst(results.map((result) => result.grade));
        const compared = database?.sessions.target ?? null;
        if (options.json) {
          const archives = results.map(asJson);
          out(`${JSON.stringify({ store: store.url, compared, grade, archives }, undefined, 2)}\n`);
        } else out(text(results, compared));
        return GRADES[grade].status;
      },
      signal,
    ),
  );
}

function absence(url: string, partition: string): Absent {
  const reason = `${url} has nothing of ${partition}`;
  return { partition, grade: "MISSING", findings: [{ grade: "MISSING", reason }] };
}

function comparison(
  database: Database | undefined,
  { origin }: StoredPartition,
  how: { trustCounters?: boolean; signal?: AbortSignal },
) {
  if (database === undefined || !isOf(database, origin)) return {};
  const { sessions } = database;
  return {
    compare: (manifest: Manifest) =>
      sessions.withSession(async (session) => {
        const [presence] = await readPresence(session, [manifest]);
        if (presence !== undefined) await requireSame(session, presence, manifest, how);
      }),
    isThere: ({ objects }: StoredPartition) =>
      sessions.withSession(async (session) => {
        const oids = [...new Set(objects.flatMap(({ key }) => identifyKey(key)?.oid ?? []))];
        const rows = await session.query("SELECT FROM pg_catalog.pg_class WHERE oid = ANY ($1::oid[])", [oids]);
        return rows.length > 0;
      }),
  };
}

function asJson(result: Result) {
  const { grade, findings } = result;
  const reasons = findings.map((finding) => ({ grade: finding.grade, reason: finding.reason }));
  if (!("stored" in result)) return { partition: result.partition, grade, reasons };
  const { stored, manifest } = result;
  return {
    ...identity(stored.origin),
    partition: stored.partition,
    grade,
    ...(manifest && { generation: manifest.generation, rows: manifest.rows, bytes: storedBytes(manifest) }),
    reasons,
  };
}

function text(results: readonly Result[], compared: string | null): string {
  const rows = results.map((result) => {
    if (!("stored" in result)) return [result.grade, "", result.partition, "", ""];
    const { stored, manifest, grade } = result;
    const { parent } = stored.origin;
    const content = manifest ? [manifest.rows.toLocaleString("en-US"), bytesText(storedBytes(manifest))] : ["", ""];
    return [grade, `${parent.schema}.${parent.name}`, stored.partition, ...content];
  });
  const reasons = results.flatMap(({ findings }) => findings.map(({ grade, reason }) => `${grade}: ${reason}\n`));
  const tables = compared === null ? "Not compared with a database." : `Compared with ${compared}.`;
  return `${columns(["grade", "table", "partition", "rows", "stored"], rows, ["rows", "stored"])}${reasons.join("")}${totals(results)} ${tables}\n`;
}

function totals(results: readonly Result[]): string {
  const grades = Object.keys(GRADES) as Grade[];
  const counted = grades.map((grade) => [grade, results.filter((result) => result.grade === grade).length] as const);
  return `${counted
    .filter(([, number]) => number > 0)
    .map(([grade, number]) => `${number} ${grade}`)
    .join(", ")}.`;
}
