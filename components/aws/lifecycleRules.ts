/** What a program says of the end of its archives as rules of S3. Pure. */
import type { types } from "@pulumi/aws";
import { type ArchiveLifecycle, LEAST_MOVED_BYTES, LIFECYCLE_DEFAULTS } from "./lifecycle";

type Rule = types.input.s3.BucketLifecycleConfigurationRule;

export interface LifecycleArgs {
  prefix?: string;
  lifecycle?: ArchiveLifecycle;
  tables?: Record<string, { lifecycle?: Ageing }>;
}

/** What becomes of objects by their age. */
export type Ageing = Pick<ArchiveLifecycle, "transitions" | "expireAfterDays">;

/**
 * One rule for versions and uploads of all, and rules by age: of everything below `prefix`, or of each of `tables`. Of two
 * rules for one object S3 takes the one that ends it sooner, so that a table could not be kept longer than the others.
 */
export function lifecycleRules({ prefix = "", lifecycle = {}, tables }: LifecycleArgs): Rule[] {
  const { noncurrentDays, abortUploadDays } = { ...LIFECYCLE_DEFAULTS, ...lifecycle };
  const housekeeping: Rule = {
    id: "versions-and-uploads",
    status: "Enabled",
    filter: { prefix: below(prefix) },
    noncurrentVersionExpiration: { noncurrentDays },
    abortIncompleteMultipartUpload: { daysAfterInitiation: abortUploadDays },
  };
  if (tables === undefined) return [housekeeping, ...ageingRules("", prefix, lifecycle)];
  const each = Object.entries(tables).flatMap(([table, own]) =>
    ageingRules(`${table}-`, placeOf(prefix, table), own.lifecycle ?? lifecycle),
  );
  return [housekeeping, ...each];
}

/** The prefix of one of `tables`. */
export function placeOf(prefix: string, table: string): string {
  return `${below(prefix)}${table}`;
}

function below(prefix: string): string {
  return prefix === "" ? "" : `${prefix}/`;
}

function ageingRules(id: string, prefix: string, { transitions = [], expireAfterDays }: Ageing): Rule[] {
  const within = below(prefix);
  const large = { objectSizeGreaterThan: LEAST_MOVED_BYTES };
  // S3 refuses `and` with one condition, and an empty prefix is none.
  const filter = within === "" ? large : { and: { prefix: within, ...large } };
  const moved: Rule = {
    id: `${id}rows-to-cheaper-storage`,
    status: "Enabled",
    filter,
    transitions: transitions.map(({ afterDays, storageClass }) => ({ days: afterDays, storageClass })),
  };
  const ended: Rule = {
    id: `${id}end`,
    status: "Enabled",
    filter: { prefix: within },
    expiration: { days: expireAfterDays },
  };
  return [...(transitions.length > 0 ? [moved] : []), ...(expireAfterDays === undefined ? [] : [ended])];
}
