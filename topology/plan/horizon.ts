/** Rows that came earlier than their partitions: DEFAULT holds them, and nobody notices until they are many. */
import { compareEnds } from "../bounds";
import { keyClass } from "../keys";
import type { RangeDatum } from "../model";
import { ask, type Context, qualified } from "./context";
import { fallbackOf } from "./moves";

/** Reports rows of the set's DEFAULT that lie above every declared partition. */
export function reportBeyondHorizon(context: Context): void {
  const { actual, findings, under, types, parent } = context;
  const fallback = fallbackOf(context);
  const last = lastEnd(context);
  if (actual.source !== "catalog" || under !== undefined || fallback === undefined || last === undefined) return;
  if (parent.keyTypes.length !== 1 || keyClass(parent.keyTypes[0]) === "text") return;
  if (compareEnds(last, "MAXVALUE", types) >= 0) return;
  const answer = ask(context, fallback, { from: last, to: "MAXVALUE" });
  if (answer?.found !== "some") return;
  const count = answer.rows === undefined ? "many rows" : `${answer.rows.toLocaleString("en-US")} rows`;
  const reason =
    `${qualified(fallback)} holds ${count} from ${[last].flat().join(", ")} on, which lie beyond the last declared partition. ` +
    "Raise window.ahead, or declare partitions for them; they are moved there then.";
  findings.push({ severity: "warning", path: "window.ahead", relation: qualified(fallback), reason });
}

function lastEnd({ declared, types }: Context): RangeDatum | undefined {
  const ends = declared.flatMap(({ partition }) => ("from" in partition ? [partition.to] : []));
  return ends.reduce<RangeDatum | undefined>(
    (last, end) => (last === undefined || compareEnds(end, last, types) > 0 ? end : last),
    undefined,
  );
}
