/**
 * Which cluster, database and table a state belongs to.
 *
 * A stack that is pointed at another cluster (a wrong host, a clone, a re-created table) must not apply one environment's
 * topology to another's data. So the first thing every operation does is to compare; nothing is sent before that but reads.
 */

import { type ServerFacts, UNREADABLE } from "../postgres/server";
import { formatId } from "./ids";
import type { Properties } from "./values";
import { isRecord } from "./values";

export interface Identity {
  /**
   * pg_control_system().system_identifier: unique to an initdb, kept by physical copies and standbys. `UNREADABLE` when the
   * role may not execute that function; it then proves nothing and contradicts nothing.
   */
  systemIdentifier: string;
  database: string;
  /** OID of the parent; another one under the same name is a re-created table. */
  parentOid: number;
}

/** What an operation found; there is no OID where there is no such table. */
export type FoundIdentity = Omit<Identity, "parentOid"> & { parentOid?: number };

/** One word for an identity, as `acceptIdentity` takes it. */
export function identityText({ systemIdentifier, database, parentOid }: FoundIdentity): string {
  return `${systemIdentifier}/${database}/${parentOid ?? "none"}`;
}

export function recordedIdentity(outputs: Properties): Identity | undefined {
  const recorded = outputs.identity;
  if (!isRecord(recorded)) return undefined;
  const { systemIdentifier, database, parentOid } = recorded;
  if (typeof systemIdentifier !== "string" || typeof database !== "string" || typeof parentOid !== "number") {
    return undefined;
  }
  return { systemIdentifier, database, parentOid };
}

export class IdentityMismatch extends Error {}

const DIFFERENCES: { key: keyof Identity; what: string }[] = [
  { key: "systemIdentifier", what: "another cluster (system identifier)" },
  { key: "database", what: "another database" },
  { key: "parentOid", what: "a re-created table (OID of the parent)" },
];

/**
 * How the actual identity differs from the recorded one, in words; empty when it does not. OIDs are compared within one
 * database only, and a table that is gone from its own database makes no difference: that is drift. Pure.
 */
export function identityDifferences(recorded: Identity, actual: FoundIdentity): string[] {
  const unreadable = [recorded, actual].some(({ systemIdentifier }) => systemIdentifier === UNREADABLE);
  const different = DIFFERENCES.filter(({ key }) => !(key === "systemIdentifier" && unreadable)).filter(
    ({ key }) => actual[key] !== undefined && recorded[key] !== actual[key],
  );
  return different
    .filter(({ key }) => key !== "parentOid" || different.length === 1)
    .map(({ key, what }) => `${what}: recorded ${recorded[key]}, found ${actual[key]}`);
}

/**
 * Throws unless the actual identity is the recorded one, or is exactly the one that `acceptIdentity` names.
 * Returns true when a move was accepted: then OIDs in the state prove nothing any more.
 */
export function requireIdentity(
  recorded: Identity | undefined,
  actual: FoundIdentity,
  acceptIdentity: unknown,
  relation: string,
): boolean {
  if (recorded === undefined) return false;
  const differences = identityDifferences(recorded, actual);
  if (differences.length === 0) return false;
  const accepted = identityText(actual);
  if (acceptIdentity === accepted || isMoveTo(recorded, actual, acceptIdentity)) return true;
  const missing = actual.parentOid === undefined ? ", where there is no such table" : "";
  throw new IdentityMismatch(
    `${relation}: the state belongs to ${differences.join("; ")}${missing}. Nothing was changed. ` +
      `If the provider points to the wrong server, correct its host, port or database. If this is deliberate ` +
      `(a restored, upgraded or re-created database), set acceptIdentity: "${accepted}" and run again.`,
  );
}

/** A move to a database without the table was accepted; the table has been made there since. */
function isMoveTo(recorded: Identity, actual: FoundIdentity, acceptIdentity: unknown): boolean {
  const { parentOid: _, ...there } = actual;
  return acceptIdentity === identityText(there) && identityDifferences(recorded, there).length > 0;
}

/** What a session found under the table's name; without an OID when there is no such table. */
export function foundIdentity(server: ServerFacts, parentOid: number | undefined): FoundIdentity {
  return { systemIdentifier: server.systemIdentifier ?? UNREADABLE, database: server.database, parentOid };
}

export function identityOf(server: ServerFacts, parentOid: number): Identity {
  return { ...foundIdentity(server, parentOid), parentOid };
}

/** The id names the database; without one (a preview that reaches none) the engine is told nothing. */
export function idOfOutputs(outputs: Properties, table: unknown): string {
  const { identity, schema } = outputs;
  if (!isRecord(identity) || !("database" in identity)) return "";
  return formatId({ database: String(identity.database), schema: String(schema), table: String(table) });
}
