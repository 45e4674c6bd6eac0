/** Plain data as a TypeScript literal, in the layout that formatters give it. */

const WIDTH = 120;

/** Objects and lists that fit stand on one line; the outermost object never does. */
export function literal(value: unknown, indent = "", used = 0): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const flat = flatText(value);
  if (indent !== "" && indent.length + used + flat.length < WIDTH) return flat;
  const inner = `${indent}  `;
  const lines = Array.isArray(value)
    ? value.map((item) => `${inner}${literal(item, inner)},`)
    : entries(value).map(([key, item]) => `${inner}${key}: ${literal(item, inner, key.length + 3)},`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return lines.length === 0 ? `${open}${close}` : [open, ...lines, `${indent}${close}`].join("\n");
}

function flatText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flatText).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inside = entries(value).map(([key, item]) => `${key}: ${flatText(item)}`);
  return inside.length === 0 ? "{}" : `{ ${inside.join(", ")} }`;
}

/** Keys that are no identifiers are quoted; so is the one that would set the prototype. */
function entries(value: object): [string, unknown][] {
  const written = (key: string) => {
    if (key === "__proto__") return '["__proto__"]';
    return /^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key);
  };
  return Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .map(([key, item]) => [written(key), item]);
}
