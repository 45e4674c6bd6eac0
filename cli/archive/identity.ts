/** The table that an archive is of, as text and as JSON. */
import type { Origin } from "../../archive/keys";

export function titleOf({ parent, database, systemIdentifier }: Origin): string {
  return `${parent.schema}.${parent.name} of database ${database}, cluster ${systemIdentifier}`;
}

export function identity({ parent, database, systemIdentifier }: Origin) {
  return { cluster: systemIdentifier, database, schema: parent.schema, table: parent.name };
}
