/** Columns, attribute by attribute. */
import type { ActualColumn, ActualTable, DeclaredColumn } from "../../topology/table/model";
import type { Difference, DifferenceKind } from "./difference";
import type { Expected } from "./scratch";

interface Attribute {
  kind: DifferenceKind;
  property: keyof DeclaredColumn;
  /** As a reader would write it, beside the other column; undefined when the column has none. */
  text: (column: ActualColumn, other: ActualColumn) => string | undefined;
  /** Follows from the type, and is not reported beside another type. */
  followsType?: boolean;
}

const ATTRIBUTES: Attribute[] = [
  { kind: "columnType", property: "type", text: ({ type }) => type },
  { kind: "columnNullable", property: "nullable", text: ({ nullable }) => String(nullable) },
  { kind: "columnDefault", property: "default", text: defaultText, followsType: true },
  { kind: "columnIdentity", property: "identity", text: ({ identity }) => identity },
  {
    kind: "columnGenerated",
    property: "generated",
    text: ({ generated }) => generated && `(${generated.expression}) ${generated.kind}`,
    followsType: true,
  },
  { kind: "columnCollation", property: "collation", text: ({ collation }) => collation, followsType: true },
];

/** Two serial columns have sequences of different names; one may also be declared by spelling out its default. */
function defaultText(column: ActualColumn, other: ActualColumn): string | undefined {
  return column.serial && other.serial ? "the next number of its own sequence" : column.default;
}

/** Differences of all columns, declared or not. */
export function compareColumns(declared: DeclaredColumn[], expected: Expected, actual: ActualTable): Difference[] {
  const actualByName = new Map(actual.columns.map((column) => [column.name, column]));
  const expectedByName = new Map(expected.table.columns.map((column) => [column.name, column]));
  const names = new Set(declared.map(({ name }) => name));
  return [
    ...declared.flatMap((column, position) => {
      const there = actualByName.get(column.name);
      const wanted = expectedByName.get(column.name);
      return there === undefined || wanted === undefined
        ? [missing(column, position, expected.instant.has(column.name))]
        : compareColumn(column, position, wanted, there);
    }),
    ...actual.columns.filter(({ name }) => !names.has(name)).map(undeclared),
  ];
}

function missing(column: DeclaredColumn, position: number, instant: boolean): Difference {
  return {
    kind: "columnMissing",
    severity: "change",
    path: `columns[${position}]`,
    declared: column.name,
    reason: `The table has no column "${column.name}".`,
    position,
    instant,
  };
}

function undeclared({ name, type, nullable, ...rest }: ActualColumn): Difference {
  const filled = nullable || rest.default !== undefined || rest.identity !== undefined || rest.generated !== undefined;
  return {
    kind: "columnUndeclared",
    severity: "info",
    path: "columns",
    actual: `${name} ${type}`,
    reason: `The column "${name}" is not declared; it is left alone.${
      filled ? "" : " It is NOT NULL without a default, so every INSERT has to name it."
    }`,
  };
}

function compareColumn(
  declared: DeclaredColumn,
  position: number,
  expected: ActualColumn,
  actual: ActualColumn,
): Difference[] {
  const sameType = expected.type === actual.type;
  const compared = ATTRIBUTES.filter(({ followsType }) => sameType || !followsType).map(({ kind, property, text }) => ({
    kind,
    property,
    declared: text(expected, actual),
    actual: text(actual, expected),
  }));
  const managed = [
    { kind: "columnComment" as const, property: "comment", declared: declared.comment, actual: actual.comment ?? "" },
    {
      kind: "columnStatistics" as const,
      property: "statistics",
      declared: declared.statistics?.toString(),
      actual: String(actual.statistics),
    },
  ].filter((attribute) => attribute.declared !== undefined);
  return [...compared, ...managed]
    .filter((attribute) => attribute.declared !== attribute.actual)
    .map((attribute) => ({
      kind: attribute.kind,
      severity: "change" as const,
      path: `columns[${position}].${attribute.property}`,
      declared: attribute.declared,
      actual: attribute.actual,
      reason: `The ${attribute.property} of "${declared.name}" is ${attribute.actual ?? "none"}, declared is ${attribute.declared ?? "none"}.`,
      position,
    }));
}
