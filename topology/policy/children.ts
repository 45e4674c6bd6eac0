/** Inputs about what partitions have besides rows and bounds: `children` and `storage`. */
import { type AttributeGroup, type ChildrenPolicy, DEFAULT_CHILDREN, type Inheritance } from "../attributes";
import type { DesiredSet } from "../model";
import { COMMENT_PLACEHOLDERS } from "../storage";
import type { StorageByTier, TierStorage } from "../tierStorage";
import { nearest } from "../values";
import { choice, fail, join, map, object, optional, type Reader, scalar, text } from "./reader";

/** The groups of `children`, and the template of every partition's comment. */
export type ChildrenInputs = ChildrenPolicy & { comment: string };

export interface TierStorageInputs {
  parameters: Record<string, string>;
  tablespace: string;
  accessMethod: string;
}

export interface StorageInputs {
  live: Partial<TierStorageInputs>;
  closed: Partial<TierStorageInputs>;
}

const inheritance = choice<Inheritance>(["parent", "report", "ignore"], {
  none: "is for grants only; there are parent, report, ignore",
});

const comment: Reader<string> = (value, path, report) => {
  const template = text(value, path, report);
  const unknown = [...(template ?? "").matchAll(/\{(\w+)\}/g)].find(
    ([, key]) => !COMMENT_PLACEHOLDERS.includes(key ?? ""),
  );
  if (unknown === undefined) return template;
  const known = COMMENT_PLACEHOLDERS.map((key) => `{${key}}`).join(", ");
  return fail(report, path, `${unknown[0]} is no placeholder; there are ${known}`);
};

export const children = object<ChildrenInputs>({
  owner: optional(inheritance),
  grants: optional(choice<ChildrenPolicy["grants"]>(["parent", "none", "report", "ignore"])),
  rowSecurity: optional(inheritance),
  replicaIdentity: optional(inheritance),
  publications: optional(inheritance),
  triggers: optional(inheritance),
  statistics: optional(inheritance),
  comments: optional(inheritance),
  columns: optional(inheritance),
  storage: optional(inheritance),
  indexes: optional(inheritance),
  comment: optional(comment),
});

/** Storage parameters of PostgreSQL 14 to 18 (CREATE TABLE, documentation); most stand for the TOAST table, too. */
const TOASTED = [
  "autovacuum_enabled",
  "autovacuum_freeze_max_age",
  "autovacuum_freeze_min_age",
  "autovacuum_freeze_table_age",
  "autovacuum_multixact_freeze_max_age",
  "autovacuum_multixact_freeze_min_age",
  "autovacuum_multixact_freeze_table_age",
  "autovacuum_vacuum_cost_delay",
  "autovacuum_vacuum_cost_limit",
  "autovacuum_vacuum_insert_scale_factor",
  "autovacuum_vacuum_insert_threshold",
  "autovacuum_vacuum_max_threshold",
  "autovacuum_vacuum_scale_factor",
  "autovacuum_vacuum_threshold",
  "log_autovacuum_min_duration",
  "vacuum_index_cleanup",
  "vacuum_max_eager_freeze_failure_rate",
  "vacuum_truncate",
];

const PARAMETERS = [
  "autovacuum_analyze_scale_factor",
  "autovacuum_analyze_threshold",
  "fillfactor",
  "parallel_workers",
  "toast_tuple_target",
  "user_catalog_table",
  ...TOASTED,
  ...TOASTED.map((name) => `toast.${name}`),
];

const parameter = scalar(
  "a text, a number, true or false",
  (value): value is string | number | boolean =>
    typeof value === "string" || typeof value === "boolean" || Number.isFinite(value),
);

const parameters: Reader<Record<string, string>> = (value, path, report) => {
  const read = map(parameter)(value, path, report);
  return read && Object.fromEntries([...read].map(([name, given]) => [name, String(given)]));
};

const tier = object<TierStorageInputs>({
  parameters: optional(parameters),
  tablespace: optional(text),
  accessMethod: optional(text),
});

/** Another access method may have parameters of its own. */
const knownParameters: typeof tier = (value, path, report) => {
  const read = tier(value, path, report);
  if ((read?.accessMethod ?? "heap") !== "heap") return read;
  for (const name of Object.keys(read?.parameters ?? {})) {
    if (PARAMETERS.includes(name)) continue;
    const near = nearest(name, PARAMETERS);
    const advice = near === undefined ? "as CREATE TABLE names them" : `did you mean ${near}?`;
    fail(report, join(join(path, "parameters"), name), `is not a storage parameter of PostgreSQL; ${advice}`);
  }
  return read;
};

export const storage = object<StorageInputs>({ live: optional(knownParameters), closed: optional(knownParameters) });

/** What inputs say about partitions besides their bounds. */
export function attributesOfInputs(inputs: {
  children?: Partial<ChildrenInputs>;
  storage?: Partial<StorageInputs>;
}): Pick<DesiredSet, "children" | "storage" | "comment"> {
  const { comment: template, ...groups } = inputs.children ?? {};
  return {
    children: { ...DEFAULT_CHILDREN, ...given(groups) },
    ...(inputs.storage && { storage: given(inputs.storage) as StorageByTier }),
    ...(template === undefined ? {} : { comment: template }),
  };
}

function given<T extends Partial<Record<AttributeGroup | keyof StorageByTier, TierStorage | string>>>(values: T): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}
