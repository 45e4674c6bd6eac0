/** When S3 moves archived rows to cheaper storage and when it deletes them: what AWS allows. Pure. */

/** Storage classes that a lifecycle can move objects to. */
export type ArchiveStorageClass =
  | "STANDARD_IA"
  | "INTELLIGENT_TIERING"
  | "ONEZONE_IA"
  | "GLACIER_IR"
  | "GLACIER"
  | "DEEP_ARCHIVE";

export interface Transition {
  /** Days since the object was written. */
  afterDays: number;
  storageClass: ArchiveStorageClass;
}

export interface ArchiveLifecycle {
  /** In the order in which an object goes through them. Default: none, objects stay where they are written. */
  transitions?: Transition[];
  /** Days since an object was written after which S3 deletes it. Default: never. */
  expireAfterDays?: number;
  /** Days for which a version is kept that was overwritten or deleted. Default: 30. */
  noncurrentDays?: number;
  /** Days after which S3 removes the parts of uploads that nobody finished. Default: 7. */
  abortUploadDays?: number;
}

export const LIFECYCLE_DEFAULTS = { noncurrentDays: 30, abortUploadDays: 7 } as const;

/**
 * Smaller objects stay where they are written: manifests have to be readable at once, and AWS charges 128 KiB at least for
 * an object in some classes.
 */
export const LEAST_MOVED_BYTES = 2 ** 20;

interface ClassRules {
  /** Days that an object has to have existed. */
  least: number;
  /** Days for which AWS charges, however soon the object leaves. */
  charged: number;
  /** Classes that it can be moved to afterwards. */
  next: readonly ArchiveStorageClass[];
  /** Reading takes minutes to hours. */
  frozen?: true;
}

/**
 * Source: "Transitioning objects using Amazon S3 Lifecycle" and "Understanding and managing Amazon S3 storage classes", Amazon
 * S3 User Guide.
 */
const CLASSES: Record<ArchiveStorageClass, ClassRules> = {
  STANDARD_IA: {
    least: 30,
    charged: 30,
    next: ["INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"],
  },
  INTELLIGENT_TIERING: { least: 0, charged: 0, next: ["ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"] },
  ONEZONE_IA: { least: 30, charged: 30, next: ["GLACIER", "DEEP_ARCHIVE"] },
  GLACIER_IR: { least: 0, charged: 90, next: ["GLACIER", "DEEP_ARCHIVE"] },
  GLACIER: { least: 0, charged: 90, next: ["DEEP_ARCHIVE"], frozen: true },
  DEEP_ARCHIVE: { least: 0, charged: 180, next: [], frozen: true },
};

/** What AWS would refuse, or do other than it says: property path and reason. */
export interface LifecycleProblem {
  property: string;
  reason: string;
}

const DAYS = ["expireAfterDays", "noncurrentDays", "abortUploadDays"] as const;

/** Everything that is wrong with a lifecycle; `lockedDays`: how long object lock keeps every version. */
export function lifecycleProblems(lifecycle: ArchiveLifecycle, lockedDays = 0): LifecycleProblem[] {
  const { transitions = [], expireAfterDays } = lifecycle;
  const problems = DAYS.flatMap((property): LifecycleProblem[] => {
    const days = lifecycle[property];
    if (days === undefined || (Number.isInteger(days) && days >= 1)) return [];
    return [{ property, reason: `must be a whole number of days of at least 1, not ${days}` }];
  });
  problems.push(...transitions.flatMap((transition, at) => transitionProblems(transition, at, transitions[at - 1])));
  const last = transitions.at(-1);
  if (expireAfterDays !== undefined && last !== undefined && expireAfterDays <= last.afterDays)
    problems.push({
      property: "expireAfterDays",
      reason: `${expireAfterDays} days: objects would expire before they move to ${last.storageClass} after ${last.afterDays} days`,
    });
  if (expireAfterDays !== undefined && expireAfterDays < lockedDays)
    problems.push({
      property: "expireAfterDays",
      reason: `${expireAfterDays} days, but object lock keeps every version for ${lockedDays} days: S3 would hide objects that it still stores`,
    });
  return problems;
}

function transitionProblems(transition: Transition, at: number, before: Transition | undefined): LifecycleProblem[] {
  const { afterDays, storageClass } = transition;
  const path = `transitions[${at}]`;
  const rules = Object.hasOwn(CLASSES, storageClass) ? CLASSES[storageClass] : undefined;
  if (rules === undefined) {
    const classes = Object.keys(CLASSES).join(", ");
    return [{ property: `${path}.storageClass`, reason: `must be one of ${classes}, not ${storageClass}` }];
  }
  if (!Number.isInteger(afterDays) || afterDays < rules.least) {
    const reason = `must be a whole number of at least ${rules.least} for ${storageClass}, not ${afterDays}`;
    return [{ property: `${path}.afterDays`, reason }];
  }
  return before === undefined ? [] : successionProblems(path, transition, before);
}

function successionProblems(path: string, transition: Transition, before: Transition): LifecycleProblem[] {
  const { afterDays, storageClass } = transition;
  const rules = Object.hasOwn(CLASSES, before.storageClass) ? CLASSES[before.storageClass] : undefined;
  if (rules === undefined) return [];
  if (!rules.next.includes(storageClass)) {
    const reason = `S3 does not move objects from ${before.storageClass} to ${storageClass}`;
    return [{ property: `${path}.storageClass`, reason }];
  }
  const least = before.afterDays + Math.max(1, rules.least);
  if (afterDays >= least) return [];
  const reason = `must be at least ${least}: objects have to stay in ${before.storageClass} for ${Math.max(1, rules.least)} days`;
  return [{ property: `${path}.afterDays`, reason }];
}

/** What AWS does, but a reader may not expect: charges for days that an object is not there, and classes that take hours to read. */
export function lifecycleWarnings({ transitions = [], expireAfterDays }: ArchiveLifecycle): string[] {
  return transitions.flatMap(({ afterDays, storageClass }, at): string[] => {
    const { charged, frozen } = CLASSES[storageClass];
    const leaves = transitions[at + 1]?.afterDays ?? expireAfterDays;
    const early = leaves !== undefined && leaves - afterDays < charged;
    return [
      ...(early
        ? [`objects leave ${storageClass} after ${leaves - afterDays} days; AWS charges ${charged} days of it`]
        : []),
      ...(frozen
        ? [`what is in ${storageClass} has to be restored by S3 (minutes to hours) before it can be read`]
        : []),
    ];
  });
}
