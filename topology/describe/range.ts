/** The policy with periods behind the partitions of a RANGE, when there is one. */
import { momentOf, orderOf } from "../axis";
import { compareEnds } from "../bounds";
import type { Axis, Grid } from "../grid";
import { plainType } from "../level";
import type { ActualPartition } from "../model";
import { isPreset, parseTemplate, placeholdersOf, render, resolveNaming } from "../names";
import { checkedGrid } from "../policy/grids";
import { type Period, periodsFrom, type Stretches } from "../stretches";
import { attempt } from "../values";
import { axesOf, heedsZone, momentIn } from "./axes";
import { adjacent, asStretches, type FoundStretch, type Piece, stretchesOf } from "./grids";
import type { DescribedLevel, DescribeOptions, FoundPolicy, Properties } from "./model";
import { bestTemplate, templatesOf, valuesBy } from "./templates";

interface NamedPiece extends Piece {
  child: ActualPartition;
}

/** Adjacent stretches and the names of their partitions. */
interface Segment {
  axis: Axis;
  stretches: Stretches;
  pieces: NamedPiece[];
  /** For each stretch: the template (absent: the default of its interval), and which partitions have its names. */
  naming: StretchNaming[];
}

interface StretchNaming {
  template?: string;
  covered: NamedPiece[];
}

/** The policy that names the most partitions; undefined when none comes to a policy. */
export function rangePolicy(level: DescribedLevel, options: DescribeOptions): FoundPolicy | undefined {
  const { keyColumns, keyTypes, children, rangeColumns, table } = level;
  const [column, type] = [keyColumns[0], keyTypes[0]];
  if (keyColumns.length !== 1 || column === undefined || type === undefined || rangeColumns.includes(column))
    return undefined;
  const ranges = rangesOf(children, type);
  const borders = ranges.flatMap(({ from, to }) => [from, to]).filter((end) => !/^(MIN|MAX)VALUE$/.test(end));
  let best: Segment | undefined;
  const fitting: string[] = [];
  for (const axis of axesOf(type, borders, options.timezones)) {
    const found = segmentOf(axis, ranges, table);
    if (found === undefined) continue;
    if (coverage(found) === coverage(best) && axis.kind === "calendar") fitting.push(axis.timezone);
    if (coverage(found) <= coverage(best)) continue;
    best = found;
    fitting.length = 0;
    if (isSure(found, ranges.length, options)) break;
  }
  return best && policyOf(best, level, options, fitting);
}

/** Another zone can be no better. */
function isSure(segment: Segment, ranges: number, { timezones }: DescribeOptions): boolean {
  if (coverage(segment) < ranges) return false;
  const { axis } = segment;
  return axis.kind === "numeric" || !heedsZone(axis) || timezones.slice(0, 2).includes(axis.timezone);
}

function coverage(segment: Segment | undefined): number {
  return segment?.naming.reduce((sum, { covered }) => sum + covered.length, 0) ?? 0;
}

interface Range {
  child: ActualPartition;
  from: string;
  to: string;
}

function rangesOf(children: readonly ActualPartition[], type: string): Range[] {
  const ranges = children.flatMap((child): Range[] => {
    const { bound } = child;
    const single = "from" in bound && typeof bound.from === "string" && typeof bound.to === "string";
    return single ? [{ child, from: String(bound.from), to: String(bound.to) }] : [];
  });
  return ranges.sort((a, b) => compareEnds(a.from, b.from, type));
}

/** The last partitions that follow each other by grids, read on an axis. */
function segmentOf(axis: Axis, ranges: readonly Range[], table: string): Segment | undefined {
  const pieces = ranges.flatMap(({ child, from, to }): NamedPiece[] => {
    const [begin, end] = [momentIn(axis, from), momentIn(axis, to)];
    return begin === undefined || end === undefined ? [] : [{ child, from: begin, to: end }];
  });
  const runs = adjacent(pieces).map((run) => stretchesOf(axis, run));
  const only = ranges.length === 1;
  for (const run of runs.reverse()) {
    const segment = lastStretches(run, only);
    if (segment.length === 0) continue;
    const named = nameSegment(axis, segment, table);
    if (named !== undefined) return named;
  }
  return undefined;
}

/** The stretches at the end of a run that are more than one piece long; a piece by itself shows no interval. */
function lastStretches(run: readonly FoundStretch<NamedPiece>[], only: boolean): FoundStretch<NamedPiece>[] {
  const isLong = ({ grid, pieces }: FoundStretch<NamedPiece>) => grid !== undefined && (only || pieces.length > 1);
  const end = run.findLastIndex(isLong);
  let begin = end;
  const joins = (at: number) => {
    const stretch = run[at];
    return stretch !== undefined && isLong(stretch);
  };
  while (begin > 0 && joins(begin - 1)) begin--;
  const [first, ...later] = run.slice(Math.max(begin, 0), end + 1);
  if (first === undefined) return [];
  // Without a stretch before it nothing says that its first period is cut.
  return [first.cut ? { ...first, cut: false, pieces: first.pieces.slice(1) } : first, ...later];
}

/** Names every stretch; where names change within one, the interval is said once more with the other names. */
function nameSegment(axis: Axis, found: readonly FoundStretch<NamedPiece>[], table: string): Segment | undefined {
  const stretches = asStretches(found);
  const naming: StretchNaming[] = [];
  const pieces = found.flatMap((stretch) => stretch.pieces);
  const periods = periodsOf(stretches, pieces);
  if (periods.length !== pieces.length) return undefined;
  for (const [index, stretch] of found.entries()) {
    const own = pieces.flatMap((piece, at) => {
      const period = periods[at];
      return period?.stretch === index ? [{ piece, period }] : [];
    });
    const named = nameStretch(stretches, index, own, table, presetOf(naming[0]?.template));
    if (named === undefined) return undefined;
    const split = splitAt(own, named.covered);
    if (split !== undefined) {
      const halves = [stretch.pieces.slice(0, split), stretch.pieces.slice(split)];
      const [early, late] = halves.map((part) => ({ ...stretch, pieces: part }));
      if (early && late)
        return nameSegment(
          axis,
          [...found.slice(0, index), early, { ...late, cut: false }, ...found.slice(index + 1)],
          table,
        );
    }
    if (named.covered.length * 2 < own.length) return undefined;
    naming.push(named);
  }
  return { axis, stretches, pieces, naming };
}

/** Where names change, when those before and those after are all of one kind and more than one each. */
function splitAt(pairs: readonly Pair[], covered: readonly NamedPiece[]): number | undefined {
  const fits = new Set(covered);
  const isNamed = pairs.map(({ piece }) => fits.has(piece));
  const at = isNamed.findIndex((named) => named !== isNamed[0]);
  if (at < 2 || pairs.length - at < 2) return undefined;
  return isNamed.slice(at).every((named) => named !== isNamed[0]) ? at : undefined;
}

function presetOf(template: string | undefined): string | undefined {
  return template !== undefined && isPreset(template) ? template : undefined;
}

/** The periods that the pieces are, in their order. */
function periodsOf(stretches: Stretches, pieces: readonly NamedPiece[]): Period[] {
  const periods: Period[] = [];
  attempt(() => {
    for (const period of periodsFrom(stretches, pieces[0]?.from ?? "")) {
      const piece = pieces[periods.length];
      if (piece?.from !== period.from || piece.to !== period.to) return;
      periods.push(period);
      if (periods.length === pieces.length) return;
    }
  });
  return periods;
}

interface Pair {
  piece: NamedPiece;
  period: Period;
}

/** The template that names the most partitions of a stretch; the others are listed. */
function nameStretch(
  stretches: Stretches,
  index: number,
  pairs: readonly Pair[],
  table: string,
  preset: string | undefined,
): StretchNaming | undefined {
  const grid = stretches[index]?.grid;
  if (grid === undefined) return undefined;
  const source = { strategy: "range" as const, stretches: [{ grid }] };
  const allowed = placeholdersOf(source);
  const renderer = (text: string) => {
    const template = parseTemplate(text, allowed);
    return ({ period }: Pair) => render(template, table, { period }, stretches);
  };
  const names = (candidate: string | undefined) => {
    const nameOf = renderer(resolveNaming(candidate ?? preset, source).partitions);
    return (pair: Pair) => nameOf(pair) === pair.piece.child.name;
  };
  const best = bestTemplate(candidates(pairs, grid, table, allowed, renderer), pairs, names);
  const covered = pairs.filter((_, at) => best?.fits[at]).map(({ piece }) => piece);
  if (best === undefined) return undefined;
  return { covered, ...(best.candidate === undefined ? {} : { template: best.candidate }) };
}

function candidates(
  pairs: readonly Pair[],
  grid: Grid,
  table: string,
  allowed: readonly string[],
  renderer: (template: string) => (pair: Pair) => string,
): (string | undefined)[] {
  const order = placeholderOrder(grid, allowed);
  const examples = [pairs.at(-1), pairs[0], pairs[Math.floor(pairs.length / 2)]];
  const inferred = examples.flatMap((pair) => {
    if (pair === undefined) return [];
    const values = valuesBy(order, (placeholder) => renderer(`{${placeholder}}`)(pair));
    return templatesOf({ name: pair.piece.child.name, values }, table);
  });
  // The presets have one name for numbers, which would say nothing of who made them.
  const presets = grid.kind === "calendar" ? ["pg_partman4", "pg_partman5"] : [];
  return [undefined, ...presets, ...new Set(inferred)];
}

/** ISO years are for weeks, and are years nearly everywhere else. */
function placeholderOrder(grid: Grid, allowed: readonly string[]): string[] {
  if (grid.kind === "numeric") return ["from", "n"];
  const weeks = ["iyyy", "iw"];
  const others = allowed.filter((name) => name !== "table" && !weeks.includes(name));
  return grid.unit === "week" ? [...weeks, ...others] : others;
}

function policyOf(segment: Segment, level: DescribedLevel, options: DescribeOptions, fitting: string[]): FoundPolicy {
  const { axis, naming, pieces } = segment;
  const covered = new Set(naming.flatMap((own) => own.covered.map(({ child }) => child.name)));
  const at = asOfIndex(segment, options);
  const [first, asOf] = [pieces[0], pieces[at]];
  const policy: Properties = {
    partitionBy: { range: rangeProperties(segment, level) },
    window: { from: spelled(axis, first?.from ?? ""), ahead: pieces.length - 1 - at },
    asOf: spelled(axis, asOf?.from ?? ""),
    ...(naming[0]?.template === undefined ? {} : { naming: naming[0].template }),
  };
  const zones =
    axis.kind === "calendar" && heedsZone(axis) && fitting.length > 0 ? zoneNotes(axis.timezone, fitting) : [];
  return { policy, covered, notes: [...zones, ...asOfNotes(segment, at, options)] };
}

function zoneNotes(timezone: string, others: readonly string[]): FoundPolicy["notes"] {
  if (timezone === "UTC") return [];
  const named = others.slice(0, 3).join(", ");
  const text = `The borders are midnights of ${timezone}, and of ${others.length} other zones (${named}): put in the one you mean.`;
  return [{ severity: "info", text }];
}

function rangeProperties({ axis, stretches, naming }: Segment, { keyColumns, keyTypes }: DescribedLevel): Properties {
  const [first, ...later] = stretches;
  if (first === undefined) return {};
  const changes = later.map(({ from, grid }, index) => ({
    from: spelled(axis, from ?? ""),
    ...gridProperties(grid),
    ...(naming[index + 1]?.template === undefined ? {} : { naming: naming[index + 1]?.template }),
  }));
  const timezone = axis.kind === "calendar" && heedsZone(axis) && axis.timezone !== "UTC" ? axis.timezone : undefined;
  return {
    column: keyColumns[0],
    type: plainType(keyTypes[0]),
    ...gridProperties(first.grid),
    ...(axis.kind === "calendar" && axis.epoch !== undefined ? { epoch: axis.epoch } : {}),
    ...(timezone === undefined ? {} : { timezone }),
    ...(changes.length === 0 ? {} : { changes }),
  };
}

function gridProperties(grid: Grid): Properties {
  if (grid.kind === "calendar") return checkedGrid(grid);
  const offset = numberIfSafe(grid.offset);
  return { every: numberIfSafe(grid.step), ...(offset === 0 ? {} : { offset }) };
}

/** Whole numbers that JavaScript holds exactly are written without quotes. */
export function numberIfSafe(text: string): string | number {
  return /^-?\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : text;
}

/** The shortest spelling that is read as the same moment. */
function spelled(axis: Axis, moment: string): string | number {
  if (axis.kind === "numeric") return numberIfSafe(moment);
  const read = (text: string) => attempt(() => momentOf(axis, text));
  // A month or day stands for its begin on local clocks, which may be another date in UTC.
  const [day] = [moment, ...neighbours(moment)]
    .map((text) => text.slice(0, 10))
    .filter((text) => {
      const parsed = read(text);
      return "value" in parsed && parsed.value === moment;
    });
  if (day === undefined) return moment;
  return day.endsWith("-01") ? day.slice(0, 7) : day;
}

function neighbours(moment: string): string[] {
  const time = Date.parse(`${moment.slice(0, 10)}T00:00:00Z`);
  return [86_400_000, -86_400_000].map((shift) => new Date(time + shift).toISOString());
}

/** The period of the present; where there is none the nearest, so that the window is what is there. */
function asOfIndex({ axis, pieces }: Segment, { now }: DescribeOptions): number {
  if (axis.kind === "numeric") return lastWithRows(pieces);
  const present = momentOf(axis, now);
  const order = orderOf(axis);
  return Math.max(
    0,
    pieces.findLastIndex(({ from }) => order(from, present) <= 0),
  );
}

/** Of plain numbers only the rows tell how far they have come. */
function lastWithRows(pieces: readonly NamedPiece[]): number {
  const at = pieces.findLastIndex(({ child }) => (child.rows ?? 0) > 0);
  return at < 0 ? pieces.length - 1 : at;
}

function asOfNotes({ axis, pieces }: Segment, at: number, { now }: DescribeOptions): FoundPolicy["notes"] {
  const piece = pieces[at];
  if (axis.kind === "numeric") {
    const text =
      "asOf is the begin of the highest partition that has rows by PostgreSQL's estimate (the last one, when none has): " +
      "put in a value that the program knows to be current.";
    return [{ severity: "info", text }];
  }
  const present = momentOf(axis, now);
  if (piece === undefined || orderOf(axis)(piece.to, present) > 0) return [];
  const text =
    `The last partition, ${piece.child.name}, ends before the present: asOf names its period, so that nothing is to be ` +
    "made. With a later asOf the partitions up to it are created.";
  return [{ severity: "warning", text }];
}
