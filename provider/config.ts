/** Provider configuration: connection and safety policy. No connection is opened here. */
import { type ConnectionArgs, SSL_MODES } from "../postgres/settings";
import type { InputFailure } from "../topology/model";
import { UNKNOWN } from "../topology/unknown";
import type { PropertyDifference } from "./difference";
import { RejectedInputs } from "./rpcErrors";
import type { Properties } from "./values";

/** Everything the Provider resource accepts, after parsing. Absent values fall back to libpq's environment variables. */
export interface ProviderConfig extends Omit<ConnectionArgs, "applicationName"> {
  lockTimeoutMs?: number;
  lockBudgetSeconds?: number;
}

interface ConfigKey {
  kind: "string" | "integer" | "sslmode";
  secret?: boolean;
  /** Least and greatest value of an integer. */
  range?: [number, number];
}

const KEYS: Record<keyof ProviderConfig, ConfigKey> = {
  connectionString: { kind: "string", secret: true },
  host: { kind: "string" },
  port: { kind: "integer", range: [1, 65535] },
  database: { kind: "string" },
  username: { kind: "string" },
  password: { kind: "string", secret: true },
  sslmode: { kind: "sslmode" },
  sslrootcert: { kind: "string" },
  sslcert: { kind: "string" },
  sslkey: { kind: "string" },
  maxConnections: { kind: "integer", range: [1, 100] },
  // Above deadlock_timeout (1 s by default) the application, not this tool, would be chosen as a deadlock's victim.
  lockTimeoutMs: { kind: "integer", range: [10, 900] },
  lockBudgetSeconds: { kind: "integer", range: [1, 86_400] },
};

/** Properties that the engine itself puts into provider inputs. */
const ENGINE_KEYS = new Set(["version", "pluginDownloadURL"]);

/** Properties that are always encrypted in the state, whatever the program says. */
export const SECRET_KEYS: ReadonlySet<string> = new Set(
  Object.entries(KEYS).flatMap(([name, key]) => (key.secret ? [name] : [])),
);

const isConfigKey = (name: string): name is keyof ProviderConfig => Object.hasOwn(KEYS, name);

function failureOf(name: string, value: unknown): string | undefined {
  if (value === UNKNOWN || value === undefined || value === null) return undefined;
  if (!isConfigKey(name)) {
    return ENGINE_KEYS.has(name) ? undefined : `unknown property; the provider knows ${Object.keys(KEYS).join(", ")}.`;
  }
  const key = KEYS[name];
  if (key.kind === "sslmode") {
    return SSL_MODES.some((mode) => mode === String(value)) ? undefined : `must be one of ${SSL_MODES.join(", ")}.`;
  }
  if (key.kind === "string") return typeof value === "string" ? undefined : "must be a string.";
  const [least, greatest] = key.range ?? [0, Number.MAX_SAFE_INTEGER];
  const number = Number(value);
  return Number.isInteger(number) && number >= least && number <= greatest
    ? undefined
    : `must be a whole number from ${least} to ${greatest}.`;
}

export function checkConfig(news: Properties): {
  inputs: Properties;
  failures: InputFailure[];
  secrets: ReadonlySet<string>;
} {
  const failures = Object.entries(news).flatMap(([property, value]) => {
    const reason = failureOf(property, value);
    return reason === undefined ? [] : [{ property, reason }];
  });
  return { inputs: news, failures, secrets: SECRET_KEYS };
}

/**
 * What changed, as an update in place. Nothing replaces the provider, not even another host: a replaced provider would
 * replace (delete) the tables under it, while the same cluster may well be reached by a new name. Whether it is the same
 * cluster is told by its system identifier, which every operation compares before its first statement.
 */
export function diffConfig(olds: Properties, news: Properties): PropertyDifference[] {
  return Object.keys(KEYS)
    .filter((name) => news[name] !== UNKNOWN && String(olds[name] ?? "") !== String(news[name] ?? ""))
    .map((path) => ({ path, kind: "update", inputDiff: true }));
}

/** Parses a checked configuration. Throws `RejectedInputs` for what Check did not see (a default provider's config). */
export function connectionOf(config: Properties): ProviderConfig {
  const { failures } = checkConfig(config);
  if (failures.length > 0) throw new RejectedInputs(failures);
  const parsed: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(config)) {
    if (!isConfigKey(name) || value === undefined || value === null || value === UNKNOWN || value === "") continue;
    parsed[name] = KEYS[name].kind === "integer" ? Number(value) : String(value);
  }
  return parsed;
}
