/** The plan for what a session sees, after the preflight has had its say. The same for previews and for `up`. */
import type { Session } from "../../postgres/connection";
import { preflight } from "../../postgres/preflight";
import type { DesiredSet, Plan } from "../../topology/model";
import { plan } from "../../topology/plan";
import type { Observation } from "./observe";

/** Partitions that cannot be made as things are (rows in DEFAULT are in the way) are left out, so that others can. */
export async function decide(session: Session, desired: DesiredSet, observation: Observation): Promise<Plan> {
  const { actual, known, server, catalog } = observation;
  const planned = plan(desired, actual, known);
  if (server === undefined || catalog === undefined) return planned;
  const found = await preflight(session, server, planned, catalog);
  const impossible = new Set(
    found.flatMap(({ severity, partition }) => (severity === "error" && partition !== undefined ? [partition] : [])),
  );
  const possible = impossible.size === 0 ? planned : plan(without(desired, impossible), actual, known);
  return { ...possible, findings: [...possible.findings, ...found] };
}

/** Names are unique over all levels. */
function without(desired: DesiredSet, names: ReadonlySet<string>): DesiredSet {
  return { ...desired, partitions: kept(desired.partitions, names) };
}

function kept(partitions: DesiredSet["partitions"], names: ReadonlySet<string>): DesiredSet["partitions"] {
  const left = Object.entries(partitions).filter(([name]) => !names.has(name));
  return Object.fromEntries(
    left.map(([name, partition]) => [
      name,
      partition.partitions === undefined ? partition : { ...partition, partitions: kept(partition.partitions, names) },
    ]),
  );
}
