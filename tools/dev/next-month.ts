/**
 * The same point in time one month later, in the notation it is given in: `YYYY-MM` or `YYYY-MM-DD`. A day that the
 * next month does not have becomes its last day.
 * @throws when the text is neither.
 */
export function nextMonth(asOf: string): string {
  const [, yearText, monthText, dayText] = /^(\d{4})-(\d{2})(?:-(\d{2}))?$/.exec(asOf) ?? [];
  const [year, month] = [Number(yearText), Number(monthText)];
  if (!(month >= 1 && month <= 12)) {
    throw new Error(`asOf is "${asOf}"; expected YYYY-MM or YYYY-MM-DD`);
  }
  const first = new Date(Date.UTC(year, month, 1));
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const yearAndMonth = first.toISOString().slice(0, 7);
  return dayText === undefined
    ? yearAndMonth
    : `${yearAndMonth}-${String(Math.min(Number(dayText), lastDay)).padStart(2, "0")}`;
}
