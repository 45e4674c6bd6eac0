/** Bounds as SQL: the clause of CREATE and ATTACH, and the condition that a row lies inside. */
import type { PartitionBound, RangeDatum } from "../topology/model";
import { quoteLiteral } from "./identifiers";
import type { KeyFacts } from "./parent";

const UNBOUNDED = new Set(["MINVALUE", "MAXVALUE"]);

/** `FOR VALUES …` or `DEFAULT`. */
export function boundClause(bound: PartitionBound): string {
  if ("default" in bound) return "DEFAULT";
  if ("modulus" in bound) return `FOR VALUES WITH (MODULUS ${bound.modulus}, REMAINDER ${bound.remainder})`;
  if ("values" in bound) return `FOR VALUES IN (${bound.values.map(listLiteral).join(", ")})`;
  return `FOR VALUES FROM (${rangeLiterals(bound.from)}) TO (${rangeLiterals(bound.to)})`;
}

function listLiteral(value: string | null): string {
  return value === null ? "NULL" : quoteLiteral(value);
}

function rangeLiterals(datum: RangeDatum): string {
  return [datum]
    .flat()
    .map((value) => (UNBOUNDED.has(value) ? value : quoteLiteral(value)))
    .join(", ");
}

/**
 * The condition that a row belongs to a RANGE or LIST partition, in the form PostgreSQL itself derives from the bound:
 * a CHECK that negates it proves that DEFAULT holds no such row. Undefined for HASH and DEFAULT, which have none.
 */
export function boundPredicate(bound: PartitionBound, keys: KeyFacts[]): string | undefined {
  if ("default" in bound || "modulus" in bound) return undefined;
  if ("values" in bound) return keys[0] && listPredicate(bound.values, keys[0]);
  const limits = [limit([bound.from].flat(), keys, ">"), limit([bound.to].flat(), keys, "<")];
  const present = keys.map((key) => `${key.sql} IS NOT NULL`);
  return [...present, ...limits.filter((condition) => condition !== undefined)].join(" AND ");
}

/**
 * The condition that a row belongs to a HASH partition. It depends on the partitioned table, which cannot be dropped as
 * long as a CHECK says this.
 * @param table the partitioned table, as SQL
 */
export function hashPredicate(bound: PartitionBound, table: string, keys: KeyFacts[]): string | undefined {
  if (!("modulus" in bound)) return undefined;
  const columns = keys.map(({ sql }) => sql).join(", ");
  return `pg_catalog.satisfies_hash_partition(${quoteLiteral(table)}::pg_catalog.regclass, ${bound.modulus}, ${bound.remainder}, ${columns})`;
}

function listPredicate(values: (string | null)[], key: KeyFacts): string {
  const literals = values.filter((value) => value !== null).map((value) => typed(value, key));
  // Of an ARRAY without a type PostgreSQL would make texts.
  const several = key.type === undefined ? `IN (${literals.join(", ")})` : `= ANY (ARRAY[${literals.join(", ")}])`;
  const among = `${key.sql} ${literals.length === 1 ? `= ${literals[0]}` : several}`;
  if (!values.includes(null)) return `${key.sql} IS NOT NULL AND ${among}`;
  return literals.length === 0 ? `${key.sql} IS NULL` : `(${key.sql} IS NULL OR ${among})`;
}

/** Row-wise comparison, spelled out: `a > 1 OR (a = 1 AND b >= 5)`; lower limits are inclusive, upper ones are not. */
function limit(values: string[], keys: KeyFacts[], direction: ">" | "<"): string | undefined {
  const alternatives: string[] = [];
  const equal: string[] = [];
  for (const [index, key] of keys.entries()) {
    const value = values[index];
    if (value === undefined) break;
    if (UNBOUNDED.has(value)) {
      const passes = (value === "MINVALUE") === (direction === ">");
      if (passes && equal.length === 0) return undefined;
      if (passes) alternatives.push(conjunction(equal));
      break;
    }
    const last = index === keys.length - 1;
    const operator = last && direction === ">" ? ">=" : direction;
    alternatives.push(conjunction([...equal, `${key.sql} ${operator} ${typed(value, key)}`]));
    equal.push(`${key.sql} = ${typed(value, key)}`);
  }
  if (alternatives.length === 0) return "false";
  return alternatives.length === 1 ? alternatives[0] : `(${alternatives.join(" OR ")})`;
}

function conjunction(conditions: string[]): string {
  return conditions.length === 1 ? `${conditions[0]}` : `(${conditions.join(" AND ")})`;
}

/** PostgreSQL proves nothing from literals of another type than the key's. */
function typed(value: string, key: KeyFacts): string {
  return key.type === undefined ? quoteLiteral(value) : `${quoteLiteral(value)}::${key.type}`;
}
