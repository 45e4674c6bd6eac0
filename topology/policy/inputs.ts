/** The inputs of a PartitionSet: one table of properties, and the types that follow from it. */
import type { RawValue } from "../bounds";
import type { Epoch } from "../grid";
import type { OnDelete, ReorganizeMode, Tier, UnmanagedMode } from "../model";
import type { Naming } from "../names";
import { nameProblem } from "../names";
import { AGED_TIERS, type AgedTier, TIERS } from "../tiers";
import { type ArchiveInputs, archive } from "./archive";
import { type ChildrenInputs, children, type StorageInputs, storage } from "./children";
import {
  anything,
  choice,
  either,
  fail,
  flag,
  integer,
  list,
  map,
  object,
  optional,
  type Reader,
  type Report,
  required,
  scalar,
  text,
  textOrInteger,
} from "./reader";

const name: Reader<string> = (value, path, report) => {
  const given = text(value, path, report);
  const problem = given === undefined ? undefined : nameProblem(given);
  return problem === undefined ? given : fail(report, path, problem);
};

const tier = choice<Tier>(TIERS);
const leavingTier = choice<Exclude<Tier, "exported">>(["live", "detached", "archived", "dropped"], {
  exported: "leaves a partition where it is; live does that as well",
});
const agedTier = choice<AgedTier>(AGED_TIERS, {
  live: "is where every partition is before the first rule; use pins to keep some there",
});

const rawValue: Reader<RawValue> = scalar(
  "a text, a number, true, false or null",
  (value): value is RawValue =>
    value === null || typeof value === "string" || typeof value === "boolean" || Number.isFinite(value),
);

const end: Reader<RawValue | RawValue[]> = either(Array.isArray, list(rawValue, 1), rawValue);

export interface RangeInputs {
  column: string;
  columns: string[];
  type: string;
  types: string[];
  every: string | number;
  timezone: string;
  epoch: Epoch;
  anchor: string;
  offset: string | number;
  changes: Partial<ChangeInputs>[];
}

/** Another interval from a moment on. */
export interface ChangeInputs {
  from: string | number;
  every: string | number;
  anchor: string;
  offset: string | number;
  naming: string;
}

export interface ListInputs {
  column: string;
  type: string;
  values: Map<string, RawValue[]>;
}

export interface HashInputs {
  columns: string[];
  partitions: number;
}

export interface PartitionByInputs {
  range: Partial<RangeInputs>;
  list: Partial<ListInputs>;
  hash: Partial<HashInputs>;
}

/** One entry of `partitions`: exactly one way to say the bound is allowed, which is checked with the strategy. */
export interface ExplicitInputs {
  from: RawValue | RawValue[];
  to: RawValue | RawValue[];
  values: RawValue[];
  modulus: number;
  remainder: number;
  default: boolean;
  tier: Tier;
  schema: string;
  /** Read with the level of the entry. */
  partitionBy: Record<string, unknown>;
  /** Read with the level of the entry. */
  partitions: Record<string, unknown>;
  leaf: boolean;
  /** Read with the level of the entry. */
  removed: Tier;
  generated: Map<string, string>;
}

export interface WindowInputs {
  from: string | number;
  ahead: number;
}

export interface RuleInputs {
  after: string | number;
  tier: AgedTier;
}

export interface PinInputs {
  from: string | number;
  to: string | number;
  until: string | number;
  tier: "live";
}

/** Everything that a program may write; absent, wrong and unknown values are all undefined. */
export interface Inputs {
  schema: string;
  table: string;
  partitionSchema: string;
  partitionBy: Partial<PartitionByInputs>;
  window: Partial<WindowInputs>;
  asOf: string | number;
  lifecycle: Partial<RuleInputs>[];
  pins: Partial<PinInputs>[];
  naming: string | Partial<Naming>;
  defaultPartition: boolean;
  removed: Tier;
  unmanaged: UnmanagedMode;
  reorganize: ReorganizeMode;
  onDelete: OnDelete;
  adopt: string[];
  partitions: Map<string, Partial<ExplicitInputs>>;
  /** Read with the level below. */
  subPartitionBy: Record<string, unknown>;
  viewLimit: number;
  acceptIdentity: string;
  children: Partial<ChildrenInputs>;
  storage: Partial<StorageInputs>;
  archive: Partial<ArchiveInputs>;
}

const explicit = object<ExplicitInputs>({
  from: optional(end),
  to: optional(end),
  values: optional(list(rawValue, 1)),
  modulus: optional(integer(1)),
  remainder: optional(integer(0)),
  default: optional(flag),
  tier: optional(tier),
  schema: optional(name),
  partitionBy: optional(anything),
  partitions: optional(anything),
  leaf: optional(flag),
  removed: optional(leavingTier),
  generated: optional(map(text)),
});

const change = object<ChangeInputs>({
  from: required(textOrInteger),
  every: required(textOrInteger),
  anchor: optional(text),
  offset: optional(textOrInteger),
  naming: optional(text),
});

const partitionBy = object<PartitionByInputs>({
  range: optional(
    object<RangeInputs>({
      column: optional(name),
      columns: optional(list(name, 1)),
      type: optional(text),
      types: optional(list(text, 1)),
      every: optional(textOrInteger),
      timezone: optional(text),
      epoch: optional(choice<Epoch>(["seconds", "milliseconds"])),
      anchor: optional(text),
      offset: optional(textOrInteger),
      changes: optional(list(change)),
    }),
  ),
  list: optional(
    object<ListInputs>({
      column: required(name),
      type: optional(text),
      values: optional(map(list(rawValue, 1))),
    }),
  ),
  hash: optional(object<HashInputs>({ columns: required(list(name, 1)), partitions: optional(integer(1)) })),
});

/** Properties that every level of a tree has. */
const LEVEL = {
  partitionBy: required(partitionBy),
  partitionSchema: optional(name),
  window: optional(object<WindowInputs>({ from: optional(textOrInteger), ahead: optional(integer(0)) })),
  asOf: optional(textOrInteger),
  lifecycle: optional(list(object<RuleInputs>({ after: required(textOrInteger), tier: required(agedTier) }))),
  pins: optional(
    list(
      object<PinInputs>({
        from: required(textOrInteger),
        to: required(textOrInteger),
        until: optional(textOrInteger),
        tier: optional(choice(["live"])),
      }),
    ),
  ),
  naming: optional(
    either(
      (value) => typeof value === "string",
      text,
      object<Naming>({ partitions: optional(text), default: optional(text) }),
    ),
  ),
  defaultPartition: optional(flag),
  removed: optional(leavingTier),
  subPartitionBy: optional(anything),
};

const inputs = object<Inputs>({
  schema: optional(name),
  table: required(name),
  ...LEVEL,
  unmanaged: optional(choice<UnmanagedMode>(["ignore", "report", "refuse"])),
  reorganize: optional(choice<ReorganizeMode>(["online", "copy", "refuse"])),
  onDelete: optional(choice<OnDelete>(["refuse", "detach", "drop"])),
  adopt: optional(list(name)),
  partitions: optional(map(explicit)),
  viewLimit: optional(integer(0)),
  acceptIdentity: optional(text),
  children: optional(children),
  storage: optional(storage),
  archive: optional(archive),
});

type LevelInputs = Pick<Inputs, keyof typeof LEVEL>;

const level = object<LevelInputs>(LEVEL);

/** Reads the inputs of a level below the set's own. */
export function readLevel(raw: Record<string, unknown>, report: Report): Partial<LevelInputs> {
  return level(raw, "", report) ?? {};
}

const divided = object<Pick<Inputs, "partitionBy" | "removed" | "partitions">>({
  partitionBy: optional(partitionBy),
  removed: optional(leavingTier),
  partitions: optional(map(explicit)),
});

/** Reads what an entry of `partitions` says about its own partitions. */
export function readDivided(
  { partitionBy: by, removed, partitions }: Pick<Partial<ExplicitInputs>, "partitionBy" | "removed" | "partitions">,
  report: Report,
): Partial<Inputs> {
  return divided({ partitionBy: by, removed, partitions }, "", report) ?? {};
}

/** Defaults of the properties that have one; the only place where they stand. */
export const DEFAULTS = {
  schema: "public",
  ahead: 3,
  defaultPartition: false,
  removed: "live",
  unmanaged: "report",
  reorganize: "online",
  onDelete: "refuse",
  viewLimit: 250,
  timezone: "UTC",
} as const;

/** Reads the inputs, reporting what is wrong in shape; `raw` is what the program sent. */
export function readInputs(raw: Record<string, unknown>, report: Report): Partial<Inputs> {
  return inputs(withoutInternals(raw), "", report) ?? {};
}

/** Pulumi's SDKs add properties of their own, which begin with two underscores. */
function withoutInternals(raw: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(raw).filter(([key]) => !key.startsWith("__")));
}

/** Properties without which the partitions can still be told: where a bucket is made by the same update, its URL. */
const LATE = new Set(["acceptIdentity", "viewLimit", "onDelete", "archive"]);

/** True when something that the expansion needs is not known yet. */
export function needsUnknown(report: Report): boolean {
  return report.unknown.some((path) => !LATE.has(path.split(/[.[]/, 1)[0] ?? path));
}
