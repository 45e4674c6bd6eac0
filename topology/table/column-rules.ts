/** Rules about single columns: what excludes what. */
import type { InputFailure } from "../model";
import { columnsIn, type DraftColumn, isObject } from "./draft";
import { type Facts, repeated } from "./facts";
import { canBeIdentity, isSerial } from "./types";

interface Column {
  serial: boolean;
  identity: boolean;
  generated: boolean;
  hasDefault: boolean;
  /** `nullable: true` was written, not only left out. */
  saidNullable: boolean;
  inPrimaryKey: boolean;
  type: string | undefined;
}

interface Rule {
  property: string;
  broken: (column: Column) => boolean;
  reason: string;
}

const RULES: Rule[] = [
  {
    property: "default",
    broken: (c) => c.hasDefault && c.identity,
    reason: "an identity column has no default: its values come from its sequence. Leave out one of the two",
  },
  {
    property: "default",
    broken: (c) => c.hasDefault && c.generated,
    reason: "a generated column has no default: it is always computed. Leave out one of the two",
  },
  {
    property: "default",
    broken: (c) => c.hasDefault && c.serial,
    reason:
      "a serial type is a default already: its values come from a sequence. Write integer or bigint to give another default",
  },
  {
    property: "identity",
    broken: (c) => c.identity && c.generated,
    reason: "a generated column cannot be an identity column. Leave out one of the two",
  },
  {
    property: "identity",
    broken: (c) => c.identity && c.serial,
    reason: "a serial type has a sequence already. Write integer or bigint for an identity column",
  },
  {
    property: "identity",
    broken: (c) => c.identity && c.type !== undefined && !c.serial && !canBeIdentity(c.type),
    reason: "an identity column must be smallint, integer or bigint",
  },
  {
    property: "generated",
    broken: (c) => c.generated && c.serial,
    reason: "a serial type cannot be generated. Write integer or bigint",
  },
  {
    property: "nullable",
    broken: (c) => c.saidNullable && c.inPrimaryKey,
    reason: "a column of the primary key is never null. Leave `nullable` out, or take the column out of the key",
  },
  {
    property: "nullable",
    broken: (c) => c.saidNullable && (c.identity || c.serial),
    reason: "an identity or serial column is never null. Leave `nullable` out",
  },
];

/** Failures of the columns. */
export function columnRules({ draft, raw, primaryKey }: Facts): InputFailure[] {
  const { columns } = columnsIn(draft);
  const keyNames = new Set(primaryKey?.known.map(({ name }) => name));
  const names = columns.map(({ name, path }) => ({ name, path: `${path}.name` }));
  return [
    ...repeated(names, "is the name of another column"),
    ...columns.flatMap((entry) => {
      const column = viewOf(entry, raw, keyNames);
      return RULES.filter(({ broken }) => broken(column)).map(({ property, reason }) => ({
        property: `${entry.path}.${property}`,
        reason,
      }));
    }),
  ];
}

function viewOf({ draft, name, path }: DraftColumn, raw: Record<string, unknown>, keyNames: Set<string>): Column {
  const type = typeof draft.type === "string" ? draft.type : undefined;
  return {
    type,
    serial: type !== undefined && isSerial(type),
    identity: draft.identity !== undefined,
    generated: isObject(draft.generated),
    hasDefault: draft.default !== undefined,
    saidNullable: writtenColumn(raw, path)?.nullable === true,
    inPrimaryKey: keyNames.has(name),
  };
}

function writtenColumn(raw: Record<string, unknown>, path: string): Record<string, unknown> | undefined {
  const index = Number(/\[(\d+)\]$/.exec(path)?.[1]);
  const entry: unknown = Array.isArray(raw.columns) ? raw.columns[index] : undefined;
  return isObject(entry) ? entry : undefined;
}
