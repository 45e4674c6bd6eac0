/**
 * Constraints and indexes, each against the one it stands for: the one of its name, or, when it was declared without a
 * name or nothing has the name, one that says the same.
 */
import type {
  ActualForeignKey,
  ActualTable,
  ActualUnique,
  DeclaredForeignKey,
  DeclaredTable,
} from "../../topology/table/model";
import type { Content, Difference, DifferenceKind, RemovableProperty } from "./difference";
import { isInterim } from "./interim";
import { SCRATCH_NAMES } from "./scratch";

/** Something declared that has to be there. */
interface Wanted {
  /** As declared. */
  name?: string;
  path: string;
  position?: number;
  content: Content;
  /** Of its index, when that is declared; it tells nothing about which one it stands for. */
  tablespace?: string;
}

interface There {
  name: string;
  content: Content;
  tablespace?: string;
}

interface Sort {
  /** As in "The unique constraint on …". */
  noun: string;
  missing: DifferenceKind;
  changed: DifferenceKind;
  undeclared: DifferenceKind;
  /** Property under which what is undeclared would stand. */
  property: string;
}

const SORTS = {
  primaryKey: sort("primary key", "primaryKeyMissing", "primaryKeyChanged", "constraintUndeclared", "primaryKey"),
  unique: sort("unique constraint", "uniqueMissing", "uniqueChanged", "constraintUndeclared", "unique"),
  checks: sort("check", "checkMissing", "checkChanged", "constraintUndeclared", "checks"),
  foreignKeys: sort("foreign key", "foreignKeyMissing", "foreignKeyChanged", "constraintUndeclared", "foreignKeys"),
  indexes: sort("index", "indexMissing", "indexChanged", "indexUndeclared", "indexes"),
};

function sort(
  noun: string,
  missing: DifferenceKind,
  changed: DifferenceKind,
  undeclared: DifferenceKind,
  property: string,
): Sort {
  return { noun, missing, changed, undeclared, property };
}

/** Differences of all constraints and indexes; `expected` is the declaration read back. */
export function compareConstraints(declared: DeclaredTable, expected: ActualTable, actual: ActualTable): Difference[] {
  return [
    ...constraintsOf(declared, expected, actual).flatMap(([sort, wanted, there]) => match(sort, wanted, there)),
    ...match(SORTS.indexes, wantedIndexes(declared, expected), placed(actual, actual.indexes, indexContent)),
  ];
}

/** Names of the constraints that a declaration stands for, each with its place there. */
export function claimed(
  declared: DeclaredTable,
  expected: ActualTable,
  actual: ActualTable,
): Map<string, NonNullable<Difference["former"]>> {
  return new Map(
    constraintsOf(declared, expected, actual).flatMap(([sort, wanted, there]) =>
      pair(sort, wanted, there).pairs.flatMap(([{ position = 0 }, found]): [string, Claim][] =>
        found === undefined ? [] : [[found.name, { property: sort.property as RemovableProperty, position }]],
      ),
    ),
  );
}

type Claim = NonNullable<Difference["former"]>;

function constraintsOf(
  declared: DeclaredTable,
  expected: ActualTable,
  actual: ActualTable,
): [Sort, Wanted[], There[]][] {
  const primaryKeys = actual.primaryKey === undefined ? [] : [actual.primaryKey];
  return [
    [SORTS.primaryKey, wantedPrimaryKey(declared), placed(actual, primaryKeys, uniqueContent)],
    [SORTS.unique, wantedUnique(declared, expected), placed(actual, actual.unique, uniqueContent)],
    [SORTS.checks, wantedChecks(declared, expected), contents(actual.checks, checkContent)],
    [SORTS.foreignKeys, wantedForeignKeys(declared), contents(actual.foreignKeys, foreignKeyContent)],
  ];
}

function contents<A extends { name: string }>(items: A[], content: (item: A) => Content): There[] {
  return items.map((item) => ({ name: item.name, content: content(item) }));
}

function placed<A extends { name: string; tablespace?: string }>(
  { defaultTablespace }: ActualTable,
  items: A[],
  content: (item: A) => Content,
): There[] {
  return items.map((item) => ({
    name: item.name,
    content: content(item),
    tablespace: item.tablespace ?? defaultTablespace,
  }));
}

function match(sort: Sort, wanted: Wanted[], there: There[]): Difference[] {
  const { pairs, left } = pair(sort, wanted, there);
  return [
    ...pairs.flatMap(([item, counterpart]) =>
      counterpart === undefined ? [missing(sort, item)] : changes(sort, item, counterpart),
    ),
    ...left.map((item) => undeclared(sort, item)),
  ];
}

/** What is declared, each with what stands for it; and what nothing stands for. */
function pair(sort: Sort, wanted: Wanted[], there: There[]): { pairs: [Wanted, There | undefined][]; left: There[] } {
  const left = new Set(there);
  const take = (fits: (item: There) => boolean): There | undefined => {
    const found = [...left].find(fits);
    if (found !== undefined) {
      left.delete(found);
    }
    return found;
  };
  const byName = wanted.map(({ name }) => (name === undefined ? undefined : take((item) => item.name === name)));
  // One that is not valid yet may be what an interrupted run has begun.
  const found = wanted.map(
    (item, index) =>
      byName[index] ??
      take(({ content }) => sameContent(content, item.content)) ??
      take(
        ({ name, content }) => !isInterim(name) && sameContent({ ...content, valid: item.content.valid }, item.content),
      ),
  );
  // A table has one primary key, so another one is this one changed.
  const pairs = wanted.map((item, index): [Wanted, There | undefined] => [
    item,
    found[index] ?? (sort === SORTS.primaryKey ? take(() => true) : undefined),
  ]);
  return { pairs, left: [...left] };
}

export function sameContent(one: Content, other: Content): boolean {
  return Object.keys(one).every((property) => one[property] === other[property]);
}

function missing({ noun, missing: kind }: Sort, { name, path, position, content }: Wanted): Difference {
  const said = summary(content);
  return {
    kind,
    severity: "change",
    path,
    declared: said,
    reason: `The table has no ${noun}${name === undefined ? "" : ` "${name}"`}: ${said}.`,
    position,
    content,
  };
}

function changes({ noun, changed: kind }: Sort, wanted: Wanted, counterpart: There): Difference[] {
  const properties: Content = { ...wanted.content };
  const actual: Content = { ...counterpart.content };
  if (wanted.name !== undefined) {
    properties.name = wanted.name;
    actual.name = counterpart.name;
  }
  if (wanted.tablespace !== undefined) {
    properties.tablespace = wanted.tablespace;
    actual.tablespace = counterpart.tablespace;
  }
  return Object.entries(properties)
    .filter(([property, declared]) => declared !== actual[property])
    .map(([property, declared]) => ({
      kind,
      severity: "change",
      path: `${wanted.path}.${property}`,
      declared,
      actual: actual[property],
      reason: `The ${property} of the ${noun} "${counterpart.name}" is ${actual[property] ?? "none"}, declared is ${declared ?? "none"}.`,
      position: wanted.position,
      content: wanted.content,
      counterpart: counterpart.name,
    }));
}

function undeclared({ noun, undeclared: kind, property }: Sort, { name, content }: There): Difference {
  const said = summary(content);
  if (isInterim(name)) {
    return {
      kind: "constraintLeftOver",
      severity: "change",
      path: property,
      actual: `${name}: ${said}`,
      reason: `The ${noun} "${name}" (${said}) is what a run has begun and not ended.`,
      counterpart: name,
      content,
    };
  }
  return {
    kind,
    severity: "info",
    path: property,
    actual: `${name}: ${said}`,
    reason: `The ${noun} "${name}" (${said}) is not declared; it is left alone.`,
    counterpart: name,
    content,
  };
}

/** Values that say nothing out of the ordinary. */
const ORDINARY = new Set(["false", "no", "no action", "simple", "btree", ""]);

function summary({ valid, enforced, ...content }: Content): string {
  const flags = [...(valid === "false" ? ["not valid"] : []), ...(enforced === "false" ? ["not enforced"] : [])];
  const parts = Object.entries(content).flatMap(([property, value]) =>
    value === undefined || ORDINARY.has(value) ? [] : [property === "columns" ? value : `${property} ${value}`],
  );
  return [...parts, ...flags].join(", ");
}

function names(columns: string[]): string {
  return columns.length === 0 ? "" : `(${columns.join(", ")})`;
}

export function uniqueContent(item: Omit<ActualUnique, "name">): Content {
  return {
    columns: names(item.columns),
    nullsNotDistinct: String(item.nullsNotDistinct),
    include: names(item.include),
    deferrable: item.deferrable,
    valid: String(item.valid),
  };
}

function checkContent(item: ActualTable["checks"][number]): Content {
  return { expression: item.expression, valid: String(item.valid), enforced: String(item.enforced) };
}

export function foreignKeyContent(item: Omit<ActualForeignKey, "name" | "inherited">): Content {
  return {
    columns: names(item.columns),
    references: `${item.references.schema}.${item.references.table} ${names(item.references.columns)}`,
    onDelete: item.onDelete,
    onUpdate: item.onUpdate,
    deferrable: item.deferrable,
    match: item.match,
    valid: String(item.valid),
    enforced: String(item.enforced),
  };
}

function indexContent(item: ActualTable["indexes"][number]): Content {
  return {
    columns: names(item.keys),
    unique: String(item.unique),
    method: item.method,
    include: names(item.include),
    where: item.where,
    nullsNotDistinct: String(item.nullsNotDistinct),
    valid: String(item.valid),
  };
}

function wantedPrimaryKey({ primaryKey }: DeclaredTable): Wanted[] {
  if (primaryKey === undefined) {
    return [];
  }
  const { name, columns, tablespace } = primaryKey;
  const content = uniqueContent({ columns, nullsNotDistinct: false, include: [], deferrable: "no", valid: true });
  return [{ name, path: "primaryKey", content, tablespace }];
}

function wantedUnique({ unique }: DeclaredTable, expected: ActualTable): Wanted[] {
  return unique.flatMap(({ name, tablespace }, position) =>
    wanted(expected.unique, name ?? SCRATCH_NAMES.unique(position), uniqueContent, {
      name,
      path: `unique[${position}]`,
      position,
      tablespace,
    }),
  );
}

function wantedChecks({ checks }: DeclaredTable, expected: ActualTable): Wanted[] {
  return checks.flatMap(({ name }, position) =>
    wanted(expected.checks, name ?? SCRATCH_NAMES.check(position), checkContent, {
      name,
      path: `checks[${position}]`,
      position,
    }),
  );
}

function wantedIndexes({ indexes }: DeclaredTable, expected: ActualTable): Wanted[] {
  return indexes.flatMap(({ name, tablespace }, position) =>
    wanted(expected.indexes, name, indexContent, { name, path: `indexes[${position}]`, position, tablespace }),
  );
}

function wanted<A extends { name: string }>(
  expected: A[],
  name: string,
  content: (item: A) => Content,
  item: Omit<Wanted, "content">,
): Wanted[] {
  return expected
    .filter((candidate) => candidate.name === name)
    .map((candidate) => ({ ...item, content: content(candidate) }));
}

/** A scratch table has no foreign keys: their declared form is compared, with the referenced columns filled in. */
function wantedForeignKeys({ foreignKeys }: DeclaredTable): Wanted[] {
  return foreignKeys.map((key: DeclaredForeignKey, position) => ({
    name: key.name,
    path: `foreignKeys[${position}]`,
    position,
    content: foreignKeyContent({
      ...key,
      references: { ...key.references, columns: key.references.columns ?? [] },
      deferrable: key.initiallyDeferred ? "initially deferred" : key.deferrable ? "initially immediate" : "no",
      match: "simple",
      valid: true,
      enforced: true,
    }),
  }));
}
