/**
 * Stands for a value that Pulumi does not know yet (a preview in which something else is still to be created).
 * The provider puts it wherever an unknown is in the raw inputs; `expand()` hands it back untouched in `checked`.
 */
export const UNKNOWN: unique symbol = Symbol("unknown until apply");

/** The type of {@link UNKNOWN}. */
export type Unknown = typeof UNKNOWN;

/** True when the value, or anything inside it, is not known yet. */
export function containsUnknown(value: unknown): boolean {
  if (value === UNKNOWN) return true;
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some(containsUnknown);
}
