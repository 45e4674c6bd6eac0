/**
 * What a partition has besides rows, bound and columns' types: attributes that PostgreSQL does not hand down to a partition
 * or lets differ on it. Each is compared with the direct parent (or with what is declared), and by the policy repaired,
 * reported or left alone.
 */

/** What to do about a difference. `parent`: as the parent has it. `report`: shown, not changed. `ignore`: not looked at. */
export type Inheritance = "parent" | "report" | "ignore";

/**
 * How far partitions follow their parent, by groups of attributes. `grants: "none"` revokes every right but the owner's,
 * so that rows are reached through the parent (and its policies) only.
 */
export interface ChildrenPolicy {
  owner: Inheritance;
  grants: Inheritance | "none";
  rowSecurity: Inheritance;
  replicaIdentity: Inheritance;
  publications: Inheritance;
  triggers: Inheritance;
  statistics: Inheritance;
  comments: Inheritance;
  columns: Inheritance;
  storage: Inheritance;
  indexes: Inheritance;
}

export type AttributeGroup = keyof ChildrenPolicy;

/** A publication that names a partition may be what a subscriber lives on: taking it out is asked for, not assumed. */
export const DEFAULT_CHILDREN: ChildrenPolicy = {
  owner: "parent",
  grants: "parent",
  rowSecurity: "parent",
  replicaIdentity: "parent",
  publications: "report",
  triggers: "parent",
  statistics: "parent",
  comments: "parent",
  columns: "parent",
  storage: "parent",
  indexes: "parent",
};

interface AttributeRule {
  group: AttributeGroup;
  /** As people call it. */
  label: string;
  /** Why a difference is only reported whatever the policy says, and what to do. */
  obstacle?: string;
}

/** Every attribute that is compared. */
export const ATTRIBUTES = {
  owner: { group: "owner", label: "owner" },
  grants: { group: "grants", label: "grants" },
  columnGrants: { group: "grants", label: "column grants" },
  rowSecurity: { group: "rowSecurity", label: "row level security" },
  forceRowSecurity: { group: "rowSecurity", label: "forced row level security" },
  policies: { group: "rowSecurity", label: "policies" },
  replicaIdentity: { group: "replicaIdentity", label: "replica identity" },
  publications: { group: "publications", label: "publications" },
  triggers: { group: "triggers", label: "trigger states" },
  ownTriggers: {
    group: "triggers",
    label: "triggers of its own",
    obstacle: "A trigger that only the partition has is not dropped: drop it by hand, or create it on the parent.",
  },
  statisticsTargets: { group: "statistics", label: "statistics targets" },
  columnOptions: { group: "statistics", label: "column options" },
  indexStatisticsTargets: { group: "statistics", label: "statistics targets of index expressions" },
  extendedStatistics: { group: "statistics", label: "extended statistics" },
  extendedStatisticsTargets: { group: "statistics", label: "targets of extended statistics" },
  comment: { group: "comments", label: "comment" },
  columnComments: { group: "comments", label: "column comments" },
  columnDefaults: { group: "columns", label: "column defaults" },
  columnIdentity: { group: "columns", label: "identity columns" },
  generatedColumns: { group: "columns", label: "generated columns" },
  columnStorage: { group: "columns", label: "column storage" },
  columnCompression: { group: "columns", label: "column compression" },
  persistence: { group: "storage", label: "persistence" },
  storageParameters: { group: "storage", label: "storage parameters" },
  tablespace: { group: "storage", label: "tablespace" },
  accessMethod: { group: "storage", label: "access method" },
  indexes: { group: "indexes", label: "indexes" },
} as const satisfies Record<string, AttributeRule>;

export type ChildAttribute = keyof typeof ATTRIBUTES;

/** One thing about a partition that is not as expected; all of it in text, as PostgreSQL's own commands write it. */
export interface AttributeDifference {
  attribute: ChildAttribute;
  /** Policy, trigger, publication, privilege, index, statistics object or storage parameter that it is about. */
  name?: string;
  column?: string;
  /** Grantee of a privilege; absent with grants: PUBLIC. */
  role?: string;
  /** Who gave the privilege, when that was not the owner: only this role can take it back. */
  grantor?: string;
  /** Absent: there is to be none. */
  expected?: string;
  /** Absent: there is none. */
  found?: string;
  /** Why it is not repaired, and what to do; absent: it can be. */
  obstacle?: string;
  /** Declared for this partition itself: an obstacle is an error then. */
  declared?: true;
  /** No statement puts it right where it is: the table is made anew. */
  remake?: true;
}

/** What becomes of a difference under a policy. */
export type Treatment = "repair" | "report" | "ignore";

export function treatmentOf({ attribute, obstacle }: AttributeDifference, policy: ChildrenPolicy): Treatment {
  const mode = policy[groupOf(attribute)];
  if (mode === "ignore") return "ignore";
  return mode === "report" || obstacle !== undefined || obstacleOf(attribute) !== undefined ? "report" : "repair";
}

export function groupOf(attribute: ChildAttribute): AttributeGroup {
  return ATTRIBUTES[attribute].group;
}

/** Why differences of an attribute are never repaired. */
export function obstacleOf(attribute: ChildAttribute): string | undefined {
  const rule: AttributeRule = ATTRIBUTES[attribute];
  return rule.obstacle;
}

/** `grants SELECT to reader: granted instead of none`. */
export function describeDifference(difference: AttributeDifference): string {
  const { attribute, name, column, role, expected, found } = difference;
  const isGrant = groupOf(attribute) === "grants";
  const about = [
    name,
    column === undefined ? undefined : `(${column})`,
    isGrant ? `to ${role ?? "PUBLIC"}` : undefined,
  ];
  const what = [ATTRIBUTES[attribute].label, ...about.filter((part) => part !== undefined)].join(" ");
  return `${what}: ${found ?? "none"} instead of ${expected ?? "none"}`;
}

/** The differences of one partition as outputs record them: one text for each attribute, in a fixed order. */
export function describeByAttribute(differences: readonly AttributeDifference[]): Record<string, string> {
  const names = Object.keys(ATTRIBUTES) as ChildAttribute[];
  return Object.fromEntries(
    names.flatMap((attribute) => {
      const own = differences.filter((difference) => difference.attribute === attribute);
      return own.length === 0 ? [] : [[attribute, own.map(describeDifference).join("; ")]];
    }),
  );
}

/** True for the name of an attribute that a difference in outputs stands under. */
export function isAttribute(name: string): name is ChildAttribute {
  return Object.hasOwn(ATTRIBUTES, name);
}
