/** The plan for what a session sees, after the preflight has had its say. The same for previews and for `up`. */
import { unparquetable } from "../../postgres/archive/parquet";
import { serverSideRefusals } from "../../postgres/archive/serverSide";
import { withCopyFacts } from "../../postgres/catalog/copying";
import type { Session } from "../../postgres/connection";
import { lookInto } from "../../postgres/holdings";
import { type ParentFacts, underNewNames } from "../../postgres/parent";
import { preflight } from "../../postgres/preflight";
import type { Answer } from "../../topology/model";
import { plan } from "../../topology/plan";
import type { Plan } from "../../topology/steps";
import type { Observation } from "./observe";

/** Steps that cannot be done as things are are left out, and what follows them, so that the others can. */
export async function decide(session: Session, observation: Observation): Promise<Plan> {
  const { desired, server, catalog } = observation;
  if (server === undefined || catalog === undefined) return plan(desired, observation.actual, observation.known);
  const planned = await answered(session, observation);
  const parent = catalog.parent && (await withCopyFacts(session, planned.steps, catalog.parent));
  const found = await preflight(session, server, planned, { ...catalog, parent });
  const parquet = desired.archive?.parquet;
  const refused = [
    ...(parquet && parent ? await unparquetable(session, planned.steps, parquet, parent) : []),
    ...(await serverSideRefusals(session, planned.steps)),
  ];
  const impossible = new Set([
    ...found.flatMap(({ severity, partition, step }) => (severity === "error" ? [partition, step] : [])),
    ...planned.steps.flatMap(({ kind, id }) => (kind === "export" && refused.length > 0 ? [id] : [])),
  ]);
  const findings = [...planned.findings, ...found, ...refused];
  return { ...planned, steps: without(planned.steps, impossible), findings };
}

/** What the statements of this plan are made from; moving rows takes more than what every plan needs. */
export async function factsFor(
  session: Session,
  { steps }: Plan,
  { catalog, facts }: Observation,
): Promise<ParentFacts> {
  if (catalog?.parent === undefined) return underNewNames(facts, steps);
  return underNewNames(await withCopyFacts(session, steps, catalog.parent), steps);
}

/** A plan asks what it cannot see; with the answers it may be another one, which asks again. */
async function answered(session: Session, { desired, actual, known, facts }: Observation): Promise<Plan> {
  const answers: Answer[] = [];
  for (;;) {
    const planned = plan(desired, { ...actual, answers }, known);
    if (planned.questions === undefined) return planned;
    answers.push(...(await lookInto(session, planned.questions, facts)));
  }
}

/** `impossible`: ids of steps, and names of partitions, which are unique over all levels. */
function without(steps: Plan["steps"], impossible: ReadonlySet<string | undefined>): Plan["steps"] {
  const left = new Set<string>();
  return steps.filter((step) => {
    const follows = step.after.some((id) => left.has(id));
    if (!follows && !impossible.has(step.id) && !impossible.has(step.partition)) return true;
    left.add(step.id);
    return false;
  });
}
