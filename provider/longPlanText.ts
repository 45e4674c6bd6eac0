/** A plan of any length that stays readable in a pull request. */

/** Steps shown with every statement; the rest of a long plan gets one line each, as they only repeat. */
const STEPS_IN_FULL = 20;
/** One-line steps after those; of what follows only the number is said. */
const STEPS_IN_BRIEF = 100;

/** `full` writes the first steps, which are numbered from 1; `line` is a step in one line. */
export function longPlanText<S>(
  head: string,
  steps: readonly S[],
  full: (steps: S[]) => string[],
  line: (step: S) => string,
): string {
  const brief = steps.slice(STEPS_IN_FULL, STEPS_IN_FULL + STEPS_IN_BRIEF);
  const rest = steps.length - STEPS_IN_FULL - brief.length;
  return [
    head,
    ...full(steps.slice(0, STEPS_IN_FULL)),
    ...brief.map((step, place) => `  ${STEPS_IN_FULL + place + 1}. ${line(step)}`),
    ...(rest > 0 ? [`  and ${rest} more steps of the same kinds`] : []),
  ].join("\n");
}
