/** Reads what a PartitionSet is about: the catalog, or the state when a preview can reach no database. */
import type { Archiver } from "../../postgres/archive/archiver";
import { type MarkedTable, readMarked } from "../../postgres/archive/mark";
import { readSet } from "../../postgres/catalog";
import { findParent } from "../../postgres/catalog/parent";
import type { Session } from "../../postgres/connection";
import { type CatalogSet, type ParentFacts, plannedParent } from "../../postgres/parent";
import { readServer, type ServerFacts } from "../../postgres/server";
import { actualFromState } from "../../topology/fromState";
import { placesOf } from "../../topology/level";
import type { ActualSet, DesiredSet, KnownOids } from "../../topology/model";
import { withRecordedDifferences } from "../../topology/plan/recorded";
import { foundIdentity, type Identity, identityOf, recordedIdentity, requireIdentity } from "../identity";
import type { Properties } from "../values";
import { type ArchiveReading, withArchive } from "./archive";
import { asServerSays } from "./expressions";
import { knownPlaces } from "./places";
import { knownOids } from "./state";

/** What was seen, and by what right it may be acted upon. */
export interface Observation {
  /** What is declared, in the server's words. */
  desired: DesiredSet;
  actual: ActualSet;
  /** What statements are made from: the catalog's facts, or what is known without it. */
  facts: ParentFacts;
  known: KnownOids;
  /** Undefined while the parent does not exist, or without a database. */
  identity?: Identity;
  server?: ServerFacts;
  /** Undefined when planned from the state. */
  catalog?: CatalogSet;
  /** Where rows go; undefined when no archive is declared, or when planned from the state. */
  archiver?: Archiver;
}

/** @throws IdentityMismatch before anything else when the state belongs to another cluster, database or table. */
export async function observe(
  session: Session,
  desired: DesiredSet,
  olds: Properties,
  reading: ArchiveReading = {},
): Promise<Observation> {
  const server = await readServer(session);
  const restored = desired.archive === undefined ? [] : await readRestored(session, desired);
  const read = (known: KnownOids) =>
    readSet(session, {
      schema: desired.schema,
      table: desired.table,
      names: [...placesOf(desired.partitions, desired.schema)],
      known,
      ...knownPlaces(olds, restored),
      revoked: desired.children?.grants === "none",
    });
  const own = Object.fromEntries(restored.map(({ name, oid }) => [name, oid]));
  const recorded = { ...knownOids(olds, false), ...own };
  const catalog = await read(recorded);
  const found = foundIdentity(server, catalog.parent?.oid);
  const relation = `${desired.schema}.${desired.table}`;
  const moved = requireIdentity(recordedIdentity(olds), found, olds.acceptIdentity, relation);
  const trusted = moved ? await read(own) : catalog;
  const said = trusted.parent === undefined ? desired : await asServerSays(session, desired, server);
  const identity = trusted.parent && identityOf(server, trusted.parent.oid);
  const knowledge = { olds: moved ? {} : olds, known: moved ? own : recorded, restored, ...reading };
  const { actual, archiver } = await withArchive(session, said, trusted, identity, knowledge);
  return {
    desired: said,
    actual: withRecordedDifferences(actual, said),
    ...(archiver && { archiver }),
    facts: trusted.parent ?? plannedParent(desired, undefined, server.major),
    known: moved ? own : recorded,
    identity,
    server,
    catalog: trusted,
  };
}

/** Tables that restores of this very parent have made. */
async function readRestored(session: Session, { schema, table: name }: DesiredSet): Promise<MarkedTable[]> {
  const marked = await readMarked(session);
  if (marked.length === 0) return [];
  const root = await findParent(session, { schema, name });
  return marked.filter(({ mark }) => mark.root === root);
}

/** The same from the last recorded outputs: what a preview without a database has to go by. */
export function observeState(desired: DesiredSet, olds: Properties): Observation {
  const actual = actualFromState(olds);
  return {
    desired,
    actual,
    facts: plannedParent(desired, actual.parent),
    known: knownOids(olds, false),
    identity: recordedIdentity(olds),
  };
}
