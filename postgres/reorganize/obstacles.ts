/** Why rows cannot be moved, said before anything is done. */
import type { Reorganization } from "../../topology/model";
import { MOVE_AT_ONCE_BYTES } from "../../topology/reorganization";
import type { Finding, Step } from "../../topology/steps";
import type { Session } from "../connection";
import { qualified } from "../identifiers";
import { type CatalogParent, type ParentFacts, tableOfStep } from "../parent";
import { type Gap, gapsOf } from "./places";

/** What a source has of its own, which its replacement would not have, or which keeps it from being dropped. */
export interface SourceFacts {
  oid: number;
  /** Row triggers that it did not get from the parent. */
  triggers: string[];
  /** Views, and tables with a foreign key to this very partition. */
  dependents: string[];
  /** Indexes that the parent does not have. */
  indexes: string[];
}

/**
 * Reasons against a reorganization; empty when it can be carried out. Pure.
 * @param sources what is known of the sources themselves; those that are missing have nothing of their own.
 */
export function reorganizationObstacles(
  method: Step["method"],
  reorganization: Reorganization,
  parent: ParentFacts,
  sources: SourceFacts[] = [],
): string[] {
  const { copying } = parent;
  if (copying === undefined || method === "abandon") return [];
  const bytes = reorganization.sources.reduce((sum, source) => sum + (source.bytes ?? 0), 0);
  const few = method === "moveInOneTransaction";
  const rules: [boolean, string][] = [
    [
      parent.referencedBy.length > 0 || copying.selfReferenced || (parent.itself ?? []).length > 0,
      referencedText(parent),
    ],
    [reorganization.sources.some((source) => isNoTable(parent, source)), NO_TABLE],
    [copying.publicationsOfAll.length > 0, publishedText(copying.publicationsOfAll)],
    [copying.rowSecurityApplies, ROW_SECURITY],
    [copying.key.length === 0 && (!few || bytes > MOVE_AT_ONCE_BYTES), NO_KEY],
  ];
  return [
    ...rules.filter(([holds]) => holds).map(([, reason]) => reason),
    ...sources.flatMap(({ triggers, dependents }) => [
      ...triggers.map(
        (name) => `Trigger ${name} stands on the old partition only and would be lost; make it on the parent.`,
      ),
      ...dependents.map(
        (name) =>
          `${name} depends on the old partition itself, which could not be dropped; make it refer to the parent.`,
      ),
    ]),
  ];
}

function isNoTable({ childFacts }: ParentFacts, { oid, below = [] }: Reorganization["sources"][number]): boolean {
  return [oid, ...below.map((table) => table.oid)].some((one) => childFacts[one]?.relkind === "f");
}

const NO_TABLE = "A foreign table cannot be copied; copy its rows by hand.";

const ROW_SECURITY =
  "Row security applies to the role of this provider, which would not see every row: connect as a role with BYPASSRLS, or" +
  " ALTER TABLE … NO FORCE ROW LEVEL SECURITY.";

const NO_KEY =
  "There is no primary key (or unique key of columns that are NOT NULL), so that a row and its copy could not be told to be" +
  " the same. Add such a key; it has to contain the partition key.";

function referencedText({ referencedBy }: ParentFacts): string {
  const by = referencedBy.length === 0 ? "the table itself" : referencedBy.map(qualified).join(", ");
  return (
    `Foreign keys of ${by} reference the rows, and PostgreSQL refuses to detach partitions that are referenced (23503).` +
    " Drop these foreign keys, reorganize, and add them again (NOT VALID, then VALIDATE)."
  );
}

function publishedText(publications: string[]): string {
  return (
    `Publication ${publications.join(", ")} publishes every table of the database or of the schema: subscribers would` +
    " receive the copies as rows of tables that they do not have. Publish the partitioned table by its name instead."
  );
}

interface SourceRow extends Record<string, unknown>, SourceFacts {}

/** Clones of the parent's triggers have a parent; views depend by their rules. */
const SOURCES = `
SELECT c.oid,
  ARRAY(SELECT t.tgname::text FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
    AND t.tgparentid = 0 AND t.tgname NOT LIKE '!pgpartition\\_%' ORDER BY 1) AS triggers,
  ARRAY(SELECT DISTINCT r.ev_class::pg_catalog.regclass::text FROM pg_catalog.pg_depend d
      JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
    WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND d.refobjid = c.oid AND r.ev_class <> c.oid
    UNION SELECT k.conrelid::pg_catalog.regclass::text FROM pg_catalog.pg_constraint k
    WHERE k.contype = 'f' AND k.confrelid = c.oid AND k.conparentid = 0 ORDER BY 1) AS dependents,
  ARRAY(SELECT i.relname::text FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
    WHERE x.indrelid = c.oid AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = x.indexrelid)
    ORDER BY 1) AS indexes
FROM pg_catalog.pg_class c WHERE c.oid = ANY ($1::oid[])`;

/** For the preflight: one query for all steps of a plan. */
export async function preflightReorganizations(
  session: Session,
  steps: Step[],
  root: CatalogParent,
): Promise<Finding[]> {
  const moving = steps.flatMap((step) =>
    step.reorganization === undefined || step.method === "abandon"
      ? []
      : [{ step, about: step.reorganization, parent: tableOfStep(step, root) }],
  );
  if (moving.length === 0) return [];
  const oidsOf = (about: Reorganization) =>
    about.sources.flatMap(({ oid, below = [] }) => [oid, ...below.map((table) => table.oid)]);
  const oids = moving.flatMap(({ about }) => oidsOf(about));
  const rows = await session.query<SourceRow>(SOURCES, [oids]);
  const gaps = new Map<Step, Gap[]>();
  for (const { step, about, parent } of moving) gaps.set(step, await gapsOf(session, about, parent));
  const published = new Map(moving.flatMap(({ parent }) => leavesPublished(parent)).map((one) => [one.reason, one]));
  return [
    ...moving.flatMap(({ step, about, parent }) => {
      const involved = new Set(oidsOf(about));
      const own = rows.filter(({ oid }) => involved.has(oid));
      return [
        ...reorganizationObstacles(step.method, about, parent, own).map((reason) => ({
          ...finding("error", step, parent, reason),
          step: step.id,
        })),
        ...(gaps.get(step) ?? []).map((gap) => gapFinding(gap, step, parent)),
        // What comes by this plan has its indexes adopted by those of the parent when it is attached.
        ...(step.madeBy === undefined ? own : []).flatMap(({ indexes }) =>
          indexes.map((name) => finding("warning", step, parent, indexText(name))),
        ),
        ...costs(step).map((reason) => finding("info", step, parent, reason)),
      ];
    }),
    ...published.values(),
    ...(moving.some(movesAtOnce) ? [{ severity: "info" as const, path: "", reason: OLD_SNAPSHOTS }] : []),
  ];
}

function movesAtOnce({ step: { method, effect } }: { step: Step }): boolean {
  return method === "moveInOneTransaction" && effect.rows !== 0;
}

/** What PostgreSQL's manual says of TRUNCATE and of rewriting forms of ALTER TABLE ("MVCC caveats"); a copy waits for such snapshots. */
const OLD_SNAPSHOTS =
  "Where rows move in one transaction, a REPEATABLE READ or SERIALIZABLE transaction (pg_dump is one) whose snapshot is from" +
  " before that moment, and which reads these partitions only after it, does not see the rows. Everybody else sees all rows" +
  ' throughout. Run the update while no such transaction is under way, or declare reorganize: "copy".';

function finding(severity: Finding["severity"], step: Step, parent: CatalogParent, reason: string): Finding {
  return { severity, path: `partitions.${step.partition}`, relation: qualified(parent), reason };
}

function gapFinding({ target, source, found }: Gap, step: Step, parent: CatalogParent): Finding {
  const advice = `Give ${target} partitions for them, or a DEFAULT (defaultPartition: true in subPartitionBy).`;
  if (found === "some") {
    const reason = `${source} holds rows that no partition of ${target} takes, so that they cannot be moved there. ${advice}`;
    return { ...finding("error", step, parent, reason), step: step.id };
  }
  const unseen = `Whether ${source} holds rows that no partition of ${target} takes could not be seen within the time of a look.`;
  return finding(
    "warning",
    step,
    parent,
    `${unseen} Such a row would end the move (23514) with nothing changed. ${advice}`,
  );
}

function indexText(name: string): string {
  return `Index ${name} stands on the old partition only; the new ones get the parent's indexes and not this one.`;
}

/** The duration stands in the step's reason. */
function costs({ method }: Step): string[] {
  if (method !== "copyAndSwap") return [];
  return [
    "Until the old partitions are dropped the copy takes about as much room as they do, and every change of their rows is" +
      " written twice.",
  ];
}

function leavesPublished(parent: CatalogParent): Finding[] {
  return (parent.copying?.publicationsOfLeaves ?? []).map((name) => ({
    severity: "warning",
    path: "",
    relation: qualified(parent),
    reason:
      `Publication ${name} publishes partitions under their own names (publish_via_partition_root = false): after the` +
      " update put empty partitions of the new names and bounds in the place of the old ones on each subscriber, and run" +
      " ALTER SUBSCRIPTION … REFRESH PUBLICATION there, which copies their rows. Until then it does not receive their changes.",
  }));
}
