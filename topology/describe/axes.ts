/** What the bounds of a RANGE may stand for: plain numbers, counted time, uuids by time, days of which zone. */
import { keyOf, momentOfKey, momentType } from "../axis";
import { digitsOf } from "../decimals";
import type { Axis, Epoch, MomentAxis } from "../grid";
import { keyClass, valueKey } from "../keys";
import { localText, localWall, zoneName } from "../time";
import { attempt } from "../values";

/** Counted time before and after this is not what people partition by: then the key is a plain number. */
const COUNTED = { from: "1990-01-01", before: "2200-01-01" };

/** The ways of reading the finite borders of a key of this type, the likeliest first. */
export function* axesOf(type: string, borders: readonly string[], timezones: readonly string[]): Generator<Axis> {
  const kind = keyClass(type);
  if (kind === "date" || kind === "timestamp") yield { kind: "calendar", type: kind, timezone: "UTC" };
  else if (kind === "timestamptz" || kind === "uuid")
    yield* inZones({ kind: "calendar", type: kind }, borders, timezones);
  else if (kind === "smallint") yield { kind: "numeric", type: kind };
  else if (kind === "integer" || kind === "bigint" || kind === "numeric") {
    const digits = kind === "numeric" ? digitsOf(type) : undefined;
    const modifiers = digits === undefined ? {} : { digits };
    for (const epoch of ["seconds", "milliseconds"] as const)
      if (isCounted(kind, epoch, borders))
        yield* inZones({ kind: "calendar", type: kind, epoch, ...modifiers }, borders, timezones);
    yield { kind: "numeric", type: kind, ...modifiers };
  }
}

function isCounted(type: "integer" | "bigint" | "numeric", epoch: Epoch, borders: readonly string[]): boolean {
  const axis: MomentAxis = { kind: "calendar", type, epoch, timezone: "UTC" };
  return borders.every((border) => {
    const moment = momentOfKey(axis, border);
    return moment !== undefined && moment >= COUNTED.from && moment < COUNTED.before;
  });
}

/** The leading zones when any border is a midnight there, then those of which every border is; else UTC. */
function* inZones(
  axis: Omit<MomentAxis, "timezone">,
  borders: readonly string[],
  timezones: readonly string[],
): Generator<MomentAxis> {
  const tried = new Set<string>();
  let none = true;
  for (const [index, timezone] of timezones.entries()) {
    const zone = attempt(() => zoneName(timezone));
    if ("reason" in zone || tried.has(zone.value)) continue;
    tried.add(zone.value);
    const zoned: MomentAxis = { ...axis, timezone: zone.value };
    const isMidnight = (border: string) => beginsDay(zoned, border);
    if (!(index < LEADING ? borders.some(isMidnight) : borders.every(isMidnight))) continue;
    none = false;
    yield zoned;
  }
  if (none) yield { ...axis, timezone: "UTC" };
}

/** The database's own zone and UTC. */
const LEADING = 2;

/** True when the border is the begin of a day in the axis' zone. */
function beginsDay(axis: MomentAxis, border: string): boolean {
  const moment = momentIn(axis, border);
  return moment !== undefined && dayOf(axis, moment) !== undefined;
}

/** The moment that a key stands for exactly; undefined when it lies between two, or outside what periods reach. */
export function momentIn(axis: Axis, key: string): string | undefined {
  const moment = momentOfKey(axis, key);
  if (moment === undefined) return undefined;
  const back = attempt(() => keyOf(axis, moment));
  return "value" in back && valueKey(axis.type, back.value) === valueKey(axis.type, key) ? moment : undefined;
}

/** The date that begins at a moment, on local clocks. */
export function dayOf(axis: MomentAxis, moment: string) {
  const type = momentType(axis);
  const date = localWall(type, moment, axis.timezone).toPlainDate();
  const begin = attempt(() => localText(type, date.toPlainDateTime(), axis.timezone));
  return "value" in begin && begin.value === moment ? date : undefined;
}

/** True when the zone says where days begin. */
export function heedsZone({ type }: MomentAxis): boolean {
  return type !== "date" && type !== "timestamp";
}
