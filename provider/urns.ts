/** What a URN says about its resource. */

/** Type token of a URN: its third part, last of the qualified type chain. */
export function typeOf(urn: string): string {
  const chain = urn.split("::")[2] ?? "";
  return chain.slice(chain.lastIndexOf("$") + 1);
}

/** Resource name of a URN: everything after the third `::` (names may hold `::` themselves). */
export function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}
