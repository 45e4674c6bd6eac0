/** When two indexes say the same. Pure. */
import type { IndexDeclaration, IndexSignature, TreeIndex } from "./model";

const ASPECTS: (keyof IndexSignature)[] = [
  "method",
  "unique",
  "nullsNotDistinct",
  "keys",
  "columns",
  "opclasses",
  "collations",
  "options",
  "expressions",
  "predicate",
];

/** Keys, order, expressions, predicate and uniqueness; how it is stored may differ. */
export function sameSignature(one: IndexSignature, other: IndexSignature): boolean {
  return ASPECTS.every((aspect) => JSON.stringify(one[aspect]) === JSON.stringify(other[aspect]));
}

/** True where an index, or a part of it, is in another tablespace than declared; it can move without being replaced. */
export function isElsewhere({ tablespace }: IndexDeclaration, found: TreeIndex): boolean {
  return tablespace !== undefined && tablespace !== found.tablespace;
}

/** What of an index on the table is not as declared, as property paths; PostgreSQL can change none of it in place. */
export function indexDifferences(wanted: IndexSignature & { storage: string[] }, found: TreeIndex): string[] {
  const differs = (aspects: (keyof IndexSignature)[]) =>
    aspects.some((aspect) => JSON.stringify(wanted[aspect]) !== JSON.stringify(found[aspect]));
  const rules: [boolean, string][] = [
    [differs(["keys", "columns", "opclasses", "collations", "options", "expressions"]), "columns"],
    [differs(["method"]), "method"],
    [differs(["unique"]), "unique"],
    [differs(["nullsNotDistinct"]), "nullsNotDistinct"],
    [differs(["predicate"]), "where"],
    [JSON.stringify(wanted.storage) !== JSON.stringify(found.storage), "storage"],
  ];
  return rules.filter(([different]) => different).map(([, path]) => path);
}
