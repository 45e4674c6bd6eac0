/** Property paths in the engine's syntax. */

const PLAIN = /^[A-Za-z_$][\w$]*$/;

/** `["partitions", "events_2027_01", "tier"]` → `partitions.events_2027_01.tier`; other names become `["a b"]`. */
export function formatPath(parts: readonly (string | number)[]): string {
  return parts.reduce<string>((path, part) => {
    if (typeof part === "number") return `${path}[${part}]`;
    if (!PLAIN.test(part)) return `${path}["${part.replaceAll('"', '\\"')}"]`;
    return path === "" ? part : `${path}.${part}`;
  }, "");
}
