/** The policies behind the partitions of a LIST or a HASH. */
import { keyClass } from "../keys";
import { plainType } from "../level";
import { parseTemplate, render } from "../names";
import type { DescribedLevel, FoundPolicy, Properties } from "./model";
import { numberIfSafe } from "./range";
import { bestTemplate, commonBegin, templatesOf, valuesBy } from "./templates";

/** Every LIST has one: the word of a partition is what its name has of its own. */
export function listPolicy({ table, keyColumns, keyTypes, children }: DescribedLevel): FoundPolicy {
  const groups = children.flatMap(({ name, bound }) => ("values" in bound ? [{ name, values: bound.values }] : []));
  const before = commonBegin(
    groups.map(({ name }) => name),
    table,
  );
  const [type] = keyTypes;
  const entries = groups.map(({ name, values }): [string, unknown] => [
    name.slice(before.length),
    values.map((value) => listValue(type, value)),
  ]);
  const list = { column: keyColumns[0], type: plainType(type), values: Object.fromEntries(entries) };
  const template = before.startsWith(table) ? `{table}${before.slice(table.length)}{value}` : `${before}{value}`;
  const usual = groups.length === 0 || template === "{table}_{value}" || /[{}]/.test(before);
  return {
    policy: { partitionBy: { list }, ...(usual ? {} : { naming: template }) },
    covered: new Set(groups.map(({ name }) => name)),
    notes: [],
  };
}

/** A value of a bound as a program would write it. */
export function listValue(type: string | undefined, value: string | null): unknown {
  const kind = keyClass(type);
  if (value === null) return null;
  if (kind === "boolean") return value === "true";
  return kind === "smallint" || kind === "integer" || kind === "bigint" ? numberIfSafe(value) : value;
}

/** One number of partitions, when every remainder is there; mixed moduli and holes are listed. */
export function hashPolicy({ table, keyColumns, children }: DescribedLevel): FoundPolicy | undefined {
  const buckets = children.flatMap(({ name, bound }) => ("modulus" in bound ? [{ name, ...bound }] : []));
  const modulus = buckets[0]?.modulus;
  if (modulus === undefined || buckets.length !== modulus || buckets.some((bucket) => bucket.modulus !== modulus))
    return undefined;
  const examples = [buckets.at(-1), buckets[0]];
  const inferred = examples.flatMap((bucket) => {
    if (bucket === undefined) return [];
    const values = valuesBy(["n"], () => String(bucket.remainder));
    return templatesOf({ name: bucket.name, values }, table);
  });
  const names = (text: string | undefined) => {
    const template = parseTemplate(text ?? "{table}_p{n}", ["table", "n"]);
    return ({ name, remainder }: (typeof buckets)[number]) => name === render(template, table, { remainder });
  };
  const best = bestTemplate([undefined, ...new Set(inferred)], buckets, names);
  const covered = buckets.filter((_, at) => best?.fits[at]).map(({ name }) => name);
  if (best === undefined || covered.length * 2 < modulus) return undefined;
  const naming: Properties = best.candidate === undefined ? {} : { naming: best.candidate };
  return {
    policy: { partitionBy: { hash: { columns: keyColumns, partitions: modulus } }, ...naming },
    covered: new Set(covered),
    notes: [],
  };
}
