/**
 * Which resources of this run stand for which table. When a resource is renamed without `aliases`, the engine first
 * creates the new one, which adopts the table, and then deletes the old one: that must not take the table away again.
 */
import type { RelationName } from "../topology/model";
import { typeOf } from "./urns";

export class Claims {
  private readonly declared = new Map<string, Set<string>>();
  private readonly created = new Map<string, string>();

  /** Check saw the resource: the program of this run declares it. Nothing is noted while its table is not known. */
  declare(urn: string, relation: RelationName | undefined): void {
    if (relation === undefined) return;
    const key = keyOf(urn, relation);
    this.declared.set(key, (this.declared.get(key) ?? new Set()).add(urn));
  }

  /** The resource was created in this run: adopted or made. */
  create(urn: string, relation: RelationName | undefined): void {
    if (relation !== undefined) this.created.set(keyOf(urn, relation), urn);
  }

  /**
   * URN of the resource that keeps the table when `urn` is deleted: another one of its type that declares it, or the same
   * one when it replaces itself. Undefined when nobody does.
   */
  successor(urn: string, relation: RelationName | undefined): string | undefined {
    if (relation === undefined) return undefined;
    const key = keyOf(urn, relation);
    return [...(this.declared.get(key) ?? [])].find((other) => other !== urn) ?? this.created.get(key);
  }
}

function keyOf(urn: string, { schema, name }: RelationName): string {
  return JSON.stringify([typeOf(urn), schema, name]);
}
