/** What every decision of a plan looks at: declared and actual partitions by name, OID and bound. */
import { boundKey, type KeyTypes } from "../bounds";
import { isDeclared, isInPlace, schemaOf } from "../level";
import type {
  ActualLevel,
  ActualParent,
  ActualPartition,
  ActualSet,
  Answer,
  DesiredPartition,
  DesiredSet,
  KnownOids,
  PartitionBound,
  Question,
  RelationName,
  Stranger,
  UnfinishedReorganization,
} from "../model";
import { isOrphan } from "../orphans";
import { OverlapIndex } from "../overlap";
import { join } from "../policy/reader";
import type { Finding, IncompleteIndex, Step } from "../steps";

/** A step before it has its place in the order. */
export type Draft = Omit<Step, "transaction" | "indivisible"> & {
  /** Shares the transaction of the step before it: all of it is done, or nothing. */
  beside?: true;
};

/** The parts of a plan in the order in which they are carried out. */
export interface Drafts {
  finalize: Draft[];
  /** Reorganizations of an interrupted run that are finished or given up. */
  unfinished: Draft[];
  renames: Draft[];
  /** Detaches that make room for what comes next. */
  making: Draft[];
  rebounds: Draft[];
  /** Tables that get their rows back from the archive. */
  restores: Draft[];
  /** Creates and attaches. */
  additions: Draft[];
  reorganizations: Draft[];
  /** Attributes put right on what stays or has come. */
  adjustments: Draft[];
  /** Rows that are copied into the archive. */
  exports: Draft[];
  detaches: Draft[];
  drops: Draft[];
}

/** A declared partition with its name. */
export interface Declared {
  name: string;
  partition: DesiredPartition;
}

/** Which level of a tree a plan is made for. */
export interface Place {
  /** Path of the partition whose level it is, such as `partitions.events_eu`; empty for the set's own. */
  path: string;
  /** The table whose partitions are planned, when that is not the set's own. */
  under?: RelationName & { oid: number };
  /** Partitions of every level by {@link placeKey}: a name can be taken anywhere in the tree. */
  tree: ReadonlyMap<string, ActualPartition>;
  /** Differences that are only shown, on every level: the partitions that have each, by its text. */
  noticed: Map<string, string[]>;
  /** Indexes that partitions of any level lack, by table and name. */
  incomplete: Map<string, IncompleteIndex>;
}

/** Tells relations by schema and name. */
export function placeKey({ schema, name }: RelationName): string {
  // NUL is in no name.
  return `${schema}\0${name}`;
}

/** The partition of any level that stands where one of this name is to be. */
export function inTree({ tree, desired }: Context, name: string): ActualPartition | undefined {
  return tree.get(placeKey({ schema: schemaOf(desired, name), name }));
}

/** The set's own level. */
export function topOf(actual: ActualSet): Place {
  const all = function* ({
    children,
    detached,
  }: Pick<ActualLevel, "children" | "detached">): Generator<ActualPartition> {
    for (const partition of [...children, ...detached]) {
      yield partition;
      if (partition.level !== undefined) yield* all(partition.level);
    }
  };
  const tree = new Map([...all(actual)].map((partition) => [placeKey(partition), partition]));
  return { path: "", tree, noticed: new Map(), incomplete: new Map() };
}

export interface Context extends Place {
  desired: DesiredSet;
  actual: ActualSet;
  parent: ActualParent;
  known: KnownOids;
  /** The OIDs that the state knows under any name. */
  knownOids: Set<number>;
  types: KeyTypes;
  declared: Declared[];
  /** Children in the schema of their name by name; names elsewhere are no obstacle and no match. */
  childByName: Map<string, ActualPartition>;
  childByKey: Map<string, ActualPartition>;
  childByOid: Map<number, ActualPartition>;
  /** Known detached tables, without those whose rows a reorganization has taken over, and without orphans. */
  detached: ActualPartition[];
  /** Detached from partitions that are gone. */
  orphans: ActualPartition[];
  detachedByName: Map<string, ActualPartition>;
  detachedByOid: Map<number, ActualPartition>;
  strangerByName: Map<string, Stranger>;
  /** All children by bound. */
  index: OverlapIndex<ActualPartition>;
  /** Declared names of children that the state knows under them but that bear another name now, by OID. */
  renamed: Map<number, string>;
  /** OIDs of the children that some decision was about; the others are unmanaged. */
  handled: Set<number>;
  /** The tables that are the live partitions of this level when the plan is done, by declared name. */
  settled: Map<string, ActualPartition>;
  /** Declared as detached or dropped, while the table of their name has another bound. */
  misfits: { declared: Declared; table: ActualPartition }[];
  drafts: Drafts;
  findings: Finding[];
  unchanged: string[];
  answers: Map<string, Answer>;
  questions: Map<string, Question>;
}

/** Indexes a plan's arguments once, so that each decision takes constant or logarithmic time. */
export function makeContext(
  desired: DesiredSet,
  actual: ActualSet,
  parent: ActualParent,
  known: KnownOids,
  place: Place,
): Context {
  const types = parent.keyTypes.length > 0 ? parent.keyTypes : desired.keyTypes;
  const here = (relation: RelationName) => isInPlace(desired, relation);
  const emptied = new Set(
    (actual.reorganizations ?? []).flatMap(({ phase, sources }) =>
      phase === "swapped" ? sources.map(({ oid }) => oid) : [],
    ),
  );
  const declaredOf = (table: ActualPartition) =>
    isDeclared(desired, table) ? desired.partitions[table.name] : undefined;
  const kept = actual.detached.filter(({ oid }) => !emptied.has(oid));
  const orphans = kept.filter((table) => isOrphan(table, declaredOf(table), types));
  const detached = kept.filter((table) => !orphans.includes(table));
  const strangers = actual.strangers.filter(({ partitionOf }) => !isCopy(actual, partitionOf));
  const context: Context = {
    ...place,
    desired,
    actual,
    parent,
    known,
    knownOids: new Set(Object.values(known)),
    types,
    declared: Object.entries(desired.partitions).map(([name, partition]) => ({ name, partition })),
    childByName: new Map(actual.children.filter(here).map((child) => [child.name, child])),
    childByKey: new Map(actual.children.map((child) => [boundKey(child.bound, types), child])),
    childByOid: new Map(actual.children.map((child) => [child.oid, child])),
    detached,
    orphans,
    detachedByName: new Map(detached.filter(here).map((table) => [table.name, table])),
    detachedByOid: new Map(detached.map((table) => [table.oid, table])),
    strangerByName: new Map(strangers.filter(here).map((table) => [table.name, table])),
    index: new OverlapIndex(actual.children, types),
    renamed: new Map(),
    handled: new Set(),
    settled: new Map(),
    misfits: [],
    drafts: {
      finalize: [],
      unfinished: [],
      renames: [],
      making: [],
      rebounds: [],
      restores: [],
      additions: [],
      reorganizations: [],
      adjustments: [],
      exports: [],
      detaches: [],
      drops: [],
    },
    findings: [],
    unchanged: [],
    answers: new Map((actual.answers ?? []).map((answer) => [questionKey(answer.oid, answer.within, types), answer])),
    questions: new Map(),
  };
  for (const { name, partition } of context.declared) {
    const child = knownChild(context, name);
    if (child === undefined || context.childByName.get(name) === child) continue;
    if (boundKey(child.bound, types) === boundKey(partition, types)) context.renamed.set(child.oid, name);
  }
  return context;
}

/** The child that the state knows under a declared name, whatever it is called now. */
export function knownChild({ known, childByOid }: Context, name: string): ActualPartition | undefined {
  const oid = oidOf(known, name);
  return oid === undefined ? undefined : childByOid.get(oid);
}

/** The OID that the state knows for a name. */
export function oidOf(known: KnownOids, name: string): number | undefined {
  return Object.hasOwn(known, name) ? known[name] : undefined;
}

/** The child that bears a declared name, unless the state knows it under another declared name. */
export function ownChild({ childByName, renamed }: Context, name: string): ActualPartition | undefined {
  const child = childByName.get(name);
  const owner = child === undefined ? undefined : renamed.get(child.oid);
  return owner === undefined || owner === name ? child : undefined;
}

/** What is known about the rows of a table (within a bound); undefined when it has still to be asked, which is noted. */
export function ask(
  context: Context,
  { schema, name, oid }: RelationName & { oid: number },
  within?: PartitionBound,
): Answer | undefined {
  const answer = answered(context, { oid }, within);
  if (answer === undefined) {
    const { under } = context;
    const question = { table: { schema, name, oid }, ...(within && { within }), ...(under && { under }) };
    context.questions.set(questionKey(oid, within, context.types), question);
  }
  return answer;
}

/** The same without asking. */
export function answered(
  { answers, types }: Context,
  { oid }: { oid: number },
  within?: PartitionBound,
): Answer | undefined {
  return answers.get(questionKey(oid, within, types));
}

function questionKey(oid: number, within: PartitionBound | undefined, types: KeyTypes): string {
  return `${oid} ${within === undefined ? "" : boundKey(within, types)}`;
}

/** Schema and name for people. */
export function qualified({ schema, name }: RelationName): string {
  return `${schema}.${name}`;
}

/** Records a finding about a declared partition. */
export function note(
  context: Context,
  severity: Finding["severity"],
  name: string,
  reason: string,
  relation?: RelationName,
): void {
  const about = relation === undefined ? {} : { relation: qualified(relation) };
  context.findings.push({ severity, path: pathOf(context, name), ...about, reason });
}

/** Property path of a partition of this level. */
export function pathOf({ path }: Place, name: string): string {
  return join(join(path, "partitions"), name);
}

/** Relations that an unfinished copy has made under declared names are no strangers. */
function isCopy({ reorganizations }: ActualSet, of: RelationName | undefined): boolean {
  const same = ({ staging }: UnfinishedReorganization) => staging.schema === of?.schema && staging.name === of.name;
  return reorganizations?.some(same) ?? false;
}
