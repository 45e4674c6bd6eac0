/** What is known of tables beside the catalog: the state, and what restores have written on theirs. Pure. */
import type { MarkedTable } from "../../postgres/archive/mark";
import type { SetRequest } from "../../postgres/catalog/request";
import { boundOf, entriesOf } from "../../topology/level";
import { isRecord, type Properties } from "../values";
import type { RecordedPartition } from "./state";

type Places = Required<Pick<SetRequest, "bounds" | "under" | "wasUnder">>;

/** As the state has them, and as restores that nobody has recorded yet. */
export function knownPlaces(outputs: Properties, restored: readonly MarkedTable[]): Places {
  const { bounds, under, wasUnder } = recordedPlaces(outputs);
  const below = restored.flatMap(({ name, mark }) => (mark.under === undefined ? [] : [[name, mark.under]]));
  return {
    bounds: { ...bounds, ...Object.fromEntries(restored.map(({ name, mark }) => [name, mark.bound])) },
    under: { ...under, ...Object.fromEntries(below) },
    wasUnder,
  };
}

/** Bounds as recorded, and whose partition each was: PostgreSQL forgets both when a table is detached. */
function recordedPlaces(outputs: Properties): Places {
  const recorded = (isRecord(outputs.partitions) ? outputs.partitions : {}) as Record<string, RecordedPartition>;
  const all = [...entriesOf(recorded, "")];
  return {
    bounds: Object.fromEntries(all.map(({ name, entry }) => [name, boundOf(entry)])),
    under: Object.fromEntries(all.flatMap(({ name, under }) => (under === "" ? [] : [[name, under]]))),
    wasUnder: Object.fromEntries(
      all.flatMap(({ name, entry: { wasPartitionOf } }) =>
        wasPartitionOf === undefined ? [] : [[name, wasPartitionOf]],
      ),
    ),
  };
}
