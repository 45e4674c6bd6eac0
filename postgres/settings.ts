/** Where and how to connect: arguments, connection string, libpq's environment variables and files, in that order. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseConnectionString } from "./connectionString";

/** What `sslmode` means is told in the libpq documentation, 34.19. */
export const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const;

export type SslMode = (typeof SSL_MODES)[number];

/** Every argument is optional; absent ones come from the connection string, then from the environment as libpq reads it. */
export interface ConnectionArgs {
  /** A `postgresql://` URL or `keyword=value` pairs. */
  connectionString?: string;
  /** Host name, address, or directory of a Unix socket. Default: PGHOST, `localhost`. */
  host?: string;
  /** Default: PGPORT, 5432. */
  port?: number;
  /** Default: PGDATABASE, the user's name. */
  database?: string;
  /** Default: PGUSER, the account of the operating system. */
  username?: string;
  /** Default: PGPASSWORD, PGPASSFILE (`~/.pgpass`). */
  password?: string;
  /** Default: PGSSLMODE, `prefer`. */
  sslmode?: string;
  /** File, or PEM text. Default: PGSSLROOTCERT, `~/.postgresql/root.crt`; `system` for the system's own. */
  sslrootcert?: string;
  /** File, or PEM text. Default: PGSSLCERT, `~/.postgresql/postgresql.crt`. */
  sslcert?: string;
  /** File, or PEM text. Default: PGSSLKEY, `~/.postgresql/postgresql.key`. */
  sslkey?: string;
  /** Default: `pulumi-pgpartition`. */
  applicationName?: string;
  /** Sessions at the same time. Default: 4. */
  maxConnections?: number;
}

/** Everything that is needed to open a session. */
export interface ConnectionSettings {
  host: string;
  port: number;
  database: string;
  user: string;
  /** Undefined: none was given; that is enough for trust, peer and certificate authentication. */
  password?: string;
  applicationName: string;
  maxConnections: number;
  /** Zero: no limit. */
  connectTimeoutMs: number;
  /** Ways to connect in the order in which they are tried: `prefer` has two. */
  tls: (TlsSettings | undefined)[];
}

/** Options of `tls.connect`. */
export interface TlsSettings {
  rejectUnauthorized: boolean;
  /** Present when the certificate's host name does not matter. */
  checkServerIdentity?: () => undefined;
  ca?: string;
  cert?: string;
  key?: string;
}

/** A certificate or key is not on this machine; another one, with the same arguments, may well connect. */
export class MissingCertificate extends RangeError {}

type Environment = Record<string, string | undefined>;

const ENVIRONMENT: Record<string, string> = {
  host: "PGHOST",
  port: "PGPORT",
  database: "PGDATABASE",
  username: "PGUSER",
  password: "PGPASSWORD",
  sslmode: "PGSSLMODE",
  sslrootcert: "PGSSLROOTCERT",
  sslcert: "PGSSLCERT",
  sslkey: "PGSSLKEY",
  passfile: "PGPASSFILE",
  connectTimeout: "PGCONNECT_TIMEOUT",
};

/**
 * Puts the settings together. Opens no connection; reads certificate and password files.
 * @throws RangeError when a value cannot be used (`MissingCertificate` when that is so on this machine only); its message
 * names the setting and holds no secret.
 */
export function resolveSettings(args: ConnectionArgs, environment: Environment = process.env): ConnectionSettings {
  const parsed: Record<string, string> = args.connectionString ? parseConnectionString(args.connectionString) : {};
  const given = args as Record<string, string | number | undefined>;
  const setting = (name: string): string | undefined => {
    const variable = ENVIRONMENT[name];
    const value = given[name] ?? parsed[name] ?? (variable === undefined ? undefined : environment[variable]);
    return value === undefined || value === "" ? undefined : String(value);
  };
  const user = setting("username") ?? environment.USER ?? environment.LOGNAME ?? "postgres";
  const target = {
    host: setting("host") ?? "localhost",
    port: wholeNumber("port", setting("port") ?? "5432", 65535),
    database: setting("database") ?? user,
    user,
  };
  const home = environment.HOME ?? homedir();
  return {
    ...target,
    password: setting("password") ?? passwordFromFile(setting("passfile") ?? join(home, ".pgpass"), target),
    applicationName: args.applicationName ?? "pulumi-pgpartition",
    maxConnections: args.maxConnections ?? 4,
    connectTimeoutMs: wholeNumber("connect_timeout", setting("connectTimeout") ?? "10", 3600) * 1000,
    tls: target.host.startsWith("/") ? [undefined] : tlsAttempts(setting, home),
  };
}

function wholeNumber(name: string, text: string, greatest: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > greatest) {
    throw new RangeError(`${name} must be a whole number up to ${greatest}.`);
  }
  return value;
}

type Setting = (name: string) => string | undefined;

function tlsAttempts(setting: Setting, home: string): (TlsSettings | undefined)[] {
  const mode = setting("sslmode") ?? "prefer";
  const isMode = (text: string): text is SslMode => SSL_MODES.some((known) => known === text);
  if (!isMode(mode)) throw new RangeError(`sslmode must be one of ${SSL_MODES.join(", ")}.`);
  if (mode === "disable") return [undefined];
  const root = setting("sslrootcert") ?? existing(join(home, ".postgresql", "root.crt"));
  const certificates = {
    ca: root === undefined || root === "system" ? undefined : pem("sslrootcert", root),
    ...clientCertificate(setting, home),
  };
  const anyName = { checkServerIdentity: () => undefined };
  const unverified = { ...certificates, ...anyName, rejectUnauthorized: false };
  const signed = { ...certificates, ...anyName, rejectUnauthorized: true };
  const attempts: Record<Exclude<SslMode, "disable">, (TlsSettings | undefined)[]> = {
    allow: [undefined, unverified],
    prefer: [unverified, undefined],
    // As libpq does for compatibility: with a root certificate at hand, `require` verifies as `verify-ca`.
    require: [certificates.ca === undefined ? unverified : signed],
    "verify-ca": [signed],
    "verify-full": [{ ...certificates, rejectUnauthorized: true }],
  };
  if (mode === "verify-ca" && root === undefined) throw missingRoot(mode);
  if (mode === "verify-full" && root === undefined) throw missingRoot(mode);
  return attempts[mode];
}

function missingRoot(mode: SslMode): MissingCertificate {
  return new MissingCertificate(
    `sslmode ${mode} needs sslrootcert: a file, PEM text, or "system" for the certificates that the system trusts.`,
  );
}

function clientCertificate(setting: Setting, home: string): { cert?: string; key?: string } {
  const cert = setting("sslcert") ?? existing(join(home, ".postgresql", "postgresql.crt"));
  if (cert === undefined) return {};
  const key = setting("sslkey") ?? existing(join(home, ".postgresql", "postgresql.key"));
  if (key === undefined) throw new RangeError("sslcert is given without sslkey.");
  return { cert: pem("sslcert", cert), key: pem("sslkey", key) };
}

function existing(path: string): string | undefined {
  return existsSync(path) ? path : undefined;
}

function pem(name: string, value: string): string {
  if (value.includes("-----BEGIN")) return value;
  try {
    return readFileSync(value, "utf8");
  } catch {
    throw new MissingCertificate(`${name}: the file cannot be read.`);
  }
}

/** The first line of the password file that matches; like libpq, a file that others can read is not used. */
function passwordFromFile(
  path: string,
  target: { host: string; port: number; database: string; user: string },
): string | undefined {
  if (!existsSync(path)) return undefined;
  const status = statSync(path);
  if (!status.isFile() || (process.platform !== "win32" && (status.mode & 0o077) !== 0)) return undefined;
  const wanted = [target.host, String(target.port), target.database, target.user];
  for (const line of readFileSync(path, "utf8").split(/\r?\n/)) {
    if (line.startsWith("#")) continue;
    const fields = passwordFields(line);
    if (fields.length >= 5 && wanted.every((value, index) => fields[index] === "*" || fields[index] === value)) {
      return fields[4];
    }
  }
  return undefined;
}

/** Fields are separated by colons; a backslash takes the meaning from a colon or a backslash. */
function passwordFields(line: string): string[] {
  const fields = [""];
  for (const token of line.match(/\\[\s\S]|[\s\S]/g) ?? []) {
    if (token === ":") fields.push("");
    else fields[fields.length - 1] += token.length === 2 ? token.slice(1) : token;
  }
  return fields;
}
