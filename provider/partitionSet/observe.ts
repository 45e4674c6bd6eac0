/** Reads what a PartitionSet is about: the catalog, or the state when a preview can reach no database. */
import { readSet } from "../../postgres/catalog";
import type { Session } from "../../postgres/connection";
import { type CatalogSet, type ParentFacts, plannedParent } from "../../postgres/parent";
import { readServer, type ServerFacts } from "../../postgres/server";
import { actualFromState } from "../../topology/fromState";
import { placesOf } from "../../topology/level";
import type { ActualSet, DesiredSet, KnownOids } from "../../topology/model";
import { withRecordedDifferences } from "../../topology/plan/recorded";
import { foundIdentity, type Identity, identityOf, recordedIdentity, requireIdentity } from "../identity";
import type { Properties } from "../values";
import { asServerSays } from "./expressions";
import { knownOids, recordedPlaces } from "./state";

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
}

/** @throws IdentityMismatch before anything else when the state belongs to another cluster, database or table. */
export async function observe(session: Session, desired: DesiredSet, olds: Properties): Promise<Observation> {
  const server = await readServer(session);
  const read = (known: KnownOids) =>
    readSet(session, {
      schema: desired.schema,
      table: desired.table,
      names: [...placesOf(desired.partitions, desired.schema)],
      known,
      ...recordedPlaces(olds),
      revoked: desired.children?.grants === "none",
    });
  const recorded = knownOids(olds, false);
  const catalog = await read(recorded);
  const found = foundIdentity(server, catalog.parent?.oid);
  const relation = `${desired.schema}.${desired.table}`;
  const moved = requireIdentity(recordedIdentity(olds), found, olds.acceptIdentity, relation);
  const trusted = moved ? await read({}) : catalog;
  const said = trusted.parent === undefined ? desired : await asServerSays(session, desired, server);
  return {
    desired: said,
    actual: withRecordedDifferences(trusted, said),
    facts: trusted.parent ?? plannedParent(desired, undefined, server.major),
    known: moved ? {} : recorded,
    identity: trusted.parent && identityOf(server, trusted.parent.oid),
    server,
    catalog: trusted,
  };
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
