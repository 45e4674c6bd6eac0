/**
 * `Pulumi.<stack>.yaml` of this repository's stack: validated, so that a wrong or unknown key is one clear error with its
 * path. Pure.
 */
import type { Environment } from "./environment";

const WINDOWED = [
  "chatMessages",
  "conversationMessages",
  "messageQueue",
] as const satisfies (keyof Environment["windows"])[];

export interface Connection {
  host?: string;
  port?: number;
  database?: string;
  username?: string;
  sslmode?: "disable" | "allow" | "prefer" | "require" | "verify-ca" | "verify-full";
}

export interface Configuration extends Environment {
  /** Name of the stack that the file is for: a file given to another stack by mistake must not be applied. */
  environment: string;
  /** Absent parts come from PGHOST, PGPORT, PGDATABASE, PGUSER, … */
  connection: Connection;
  /** Pulumi's `protect` on every resource. Default: false. */
  protect: boolean;
}

/** A wrong configuration; the message has one line for each failure, each with its path. */
export class ConfigurationError extends Error {
  constructor(readonly failures: string[]) {
    super(failures.join("\n"));
    this.name = "ConfigurationError";
  }
}

/** A check gives the reason why a value is refused. */
type Check = (value: unknown) => string | undefined;

interface Field {
  check: Check;
  required?: boolean;
}

interface Shape {
  [name: string]: Field | Shape;
}

const matches =
  (pattern: RegExp, what: string): Check =>
  (value) =>
    typeof value === "string" && pattern.test(value) ? undefined : `must be ${what}`;

const wholeNumber =
  (least: number, most: number): Check =>
  (value) =>
    Number.isInteger(value) && Number(value) >= least && Number(value) <= most
      ? undefined
      : `must be a whole number from ${least} to ${most}`;

const oneOf =
  (...choices: string[]): Check =>
  (value) =>
    choices.includes(value as string) ? undefined : `must be one of ${choices.join(", ")}`;

const text: Check = (value) => (typeof value === "string" && value !== "" ? undefined : "must be a text");
const flag: Check = (value) => (typeof value === "boolean" ? undefined : "must be true or false");
const date = matches(/^\d{4}-\d{2}(-\d{2})?$/, "a date such as 2026-11 or 2026-11-21");
const age = matches(/^\d+ (day|week|month|year)s?$/, "an age such as 12 months");

const PIN: Shape = {
  from: { check: date, required: true },
  to: { check: date, required: true },
  until: { check: date },
};

const pins: Check = (value) => {
  if (!Array.isArray(value)) return "must be a list";
  const failures = value.flatMap((pin, at) => failuresOf(PIN, pin, `[${at}]`));
  return failures.length === 0 ? undefined : failures.join("; ");
};

const WINDOW: Shape = {
  from: { check: date, required: true },
  ahead: { check: wholeNumber(0, 1000), required: true },
  exportAfter: { check: age },
  detachAfter: { check: age },
  archiveAfter: { check: age },
  dropAfter: { check: age },
  pins: { check: pins },
};

const DAYS: Field = { check: wholeNumber(1, 100 * 365) };

const ARCHIVE: Shape = {
  in: { check: oneOf("directory", "bucket"), required: true },
  moveAfterDays: DAYS,
  expireAfterDays: DAYS,
  lock: { mode: { check: oneOf("GOVERNANCE", "COMPLIANCE"), required: true }, days: { ...DAYS, required: true } },
};

const CONFIGURATION: Shape = {
  environment: { check: text, required: true },
  asOf: { check: date },
  connection: {
    host: { check: text },
    port: { check: wholeNumber(1, 65535) },
    database: { check: text },
    username: { check: text },
    sslmode: { check: oneOf("disable", "allow", "prefer", "require", "verify-ca", "verify-full") },
  },
  protect: { check: flag },
  unmanaged: { check: oneOf("ignore", "report", "refuse") },
  onDelete: { check: oneOf("refuse", "detach", "drop") },
  archive: ARCHIVE,
  windows: Object.fromEntries(WINDOWED.map((table) => [table, WINDOW])),
};

function isField(entry: Field | Shape): entry is Field {
  return typeof entry.check === "function";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function failuresOf(shape: Shape, value: unknown, path: string): string[] {
  if (!isObject(value)) return [`${path || "configuration"}: must be an object`];
  const at = (name: string) => (path === "" ? name : `${path}.${name}`);
  const unknown = Object.keys(value)
    .filter((name) => !Object.hasOwn(shape, name))
    .map((name) => `${at(name)}: unknown; known here are ${Object.keys(shape).join(", ")}`);
  const known = Object.entries(shape).flatMap(([name, entry]) => {
    const inner = value[name];
    if (!isField(entry)) return inner === undefined ? [] : failuresOf(entry, inner, at(name));
    if (inner === undefined) return entry.required ? [`${at(name)}: missing`] : [];
    const reason = entry.check(inner);
    return reason === undefined ? [] : [`${at(name)}: ${reason}, not ${JSON.stringify(inner)}`];
  });
  return [...unknown, ...known];
}

/** @throws ConfigurationError with every failure at once. */
export function parseConfiguration(raw: Record<string, unknown>, stack: string): Configuration {
  const windows = isObject(raw.windows) ? raw.windows : {};
  const failures = [
    ...failuresOf(CONFIGURATION, raw, ""),
    ...WINDOWED.filter((table) => windows[table] === undefined).map((table) => `windows.${table}: missing`),
  ];
  if (raw.environment !== undefined && raw.environment !== stack) {
    failures.push(`environment: the configuration is for ${JSON.stringify(raw.environment)}, the stack is ${stack}`);
  }
  if (failures.length > 0) throw new ConfigurationError(failures);
  return { connection: {}, protect: false, ...raw } as Configuration;
}
