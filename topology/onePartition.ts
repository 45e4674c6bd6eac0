/** One partition on a parent that somebody else owns: its inputs, and the set of one that it comes to. Pure. */
import type { InputFailure, OnDelete, Tier } from "./model";
import { type Expansion, expand } from "./policy";
import { archive as archiveReader, NEEDS_ARCHIVE } from "./policy/archive";
import { DEFAULTS } from "./policy/inputs";
import type { Report } from "./policy/reader";
import { optional, required } from "./table/fields";
import { fail, flag, integer, list, name, object, oneOf, type Parser, text } from "./table/shape";
import { needsArchive, TIERS } from "./tiers";
import { containsUnknown, UNKNOWN } from "./unknown";

/** A Partition as declared, with every default filled in; `bound` as the program writes it. */
export interface DeclaredPartition {
  schema: string;
  table: string;
  name: string;
  /** Where the partition is, when that is not the parent's schema. */
  partitionSchema?: string;
  bound: Record<string, unknown>;
  tier: Tier;
  /** An existing table of this name may be attached. */
  adopt: boolean;
  onDelete: OnDelete;
  /** As of a set, as the program writes it. */
  archive?: Record<string, unknown>;
}

/** What {@link checkPartition} makes of the inputs. */
export interface CheckedPartition {
  /** Undefined when an input failed or is not known yet. */
  partition?: DeclaredPartition;
  checked: Record<string, unknown>;
  failures: InputFailure[];
}

/** PostgreSQL's own limit of a modulus. */
const MAX_MODULUS = 2 ** 31 - 1;

const value: Parser = (given, place) =>
  given === UNKNOWN || given === null || ["string", "number", "boolean"].includes(typeof given)
    ? given
    : fail(place, "must be a text, a number, true, false or null");

const end: Parser = (given, place) => (Array.isArray(given) ? list(value, 1)(given, place) : value(given, place));

const boundFields = object({
  from: optional(end),
  to: optional(end),
  values: optional(list(value, 1)),
  modulus: optional(integer(1, MAX_MODULUS)),
  remainder: optional(integer(0, MAX_MODULUS)),
  default: optional(flag),
});

const FORMS = [["from", "to"], ["values"], ["modulus", "remainder"], ["default"]];

const bound: Parser = (given, place) => {
  const before = place.failures.length;
  const read = boundFields(given, place);
  if (place.failures.length > before || typeof read !== "object" || read === null) return read;
  const keys = Object.keys(read);
  const whole = FORMS.some((form) => form.length === keys.length && form.every((key) => keys.includes(key)));
  if (whole && (read as { default?: unknown }).default !== false) return read;
  return fail(place, "must be {from, to}, {values}, {modulus, remainder} or {default: true}");
};

/** As it is: the set of one reads it again. */
const archive: Parser = (given, place) => {
  const report: Report = { failures: [], unknown: [] };
  archiveReader(given, place.path, report);
  place.failures.push(...report.failures);
  return given;
};

const partitionArgs = object({
  schema: optional(name, DEFAULTS.schema),
  table: required(name),
  name: required(name),
  partitionSchema: optional(name),
  bound: required(bound),
  tier: optional(oneOf(TIERS), "live"),
  adopt: optional(flag, false),
  onDelete: optional(oneOf(["refuse", "detach", "drop"]), DEFAULTS.onDelete),
  archive: optional(archive),
  acceptIdentity: optional(text),
});

/** Validates the inputs and fills in defaults; whether the bound fits the key is only known from the parent. */
export function checkPartition(raw: Record<string, unknown>): CheckedPartition {
  const failures: InputFailure[] = [];
  const checked = partitionArgs(raw, { path: "", failures }) as Record<string, unknown>;
  const tier = TIERS.find((known) => known === checked.tier);
  if (tier !== undefined && needsArchive(tier) && checked.archive === undefined)
    failures.push({ property: "tier", reason: NEEDS_ARCHIVE });
  if (failures.length > 0 || containsUnknown(checked)) return { checked, failures };
  // The parsers above are what makes this the declared type.
  return { partition: checked as unknown as DeclaredPartition, checked, failures };
}

/**
 * The inputs of a set that has this partition only, on a parent with this key; what is not its own is left alone.
 * Failures are about the partition's own properties.
 */
export function setOfOne(declared: DeclaredPartition, partitionBy: Record<string, unknown>): Expansion {
  const { schema, table, name: partition, partitionSchema, bound: given, tier, adopt, onDelete } = declared;
  const stored = declared.archive === undefined ? {} : { archive: declared.archive };
  const place = partitionSchema === undefined ? {} : { schema: partitionSchema };
  const expansion = expand({
    schema,
    table,
    partitionBy,
    partitions: { [partition]: { ...given, tier, ...place } },
    unmanaged: "ignore",
    reorganize: "refuse",
    // An index of the parent is completed on all partitions, those of others included: that is for the parent's owner.
    children: { indexes: "report" },
    adopt: adopt ? [partition] : [],
    onDelete,
    ...stored,
  });
  const own = /^partitions(?:\.[^.[]+|\["(?:[^"\\]|\\.)*"\])/;
  const failures = expansion.failures.map(({ property, reason }) => ({
    property: property.replace(own, "bound"),
    reason,
  }));
  return { ...expansion, failures };
}
