import { type Input, output, ProviderResource, type ResourceOptions, secret } from "@pulumi/pulumi";

/** Connection and safety policy. Absent values fall back to libpq's environment variables (`PGHOST`, `PGPASSFILE`, …). */
export interface ProviderArgs {
  /** A PostgreSQL connection URI; the other connection properties win over its parts. Always a secret. */
  connectionString?: Input<string>;
  /** Server name or address, or the directory of a Unix socket. Default: `PGHOST`, else `localhost`. */
  host?: Input<string>;
  /** Default: `PGPORT`, else 5432. */
  port?: Input<number>;
  /** Default: `PGDATABASE`, else the user's name. */
  database?: Input<string>;
  /** The owner of the tables, or a member of it. Default: `PGUSER`. */
  username?: Input<string>;
  /** Always a secret. Default: `PGPASSWORD`, then the password file. */
  password?: Input<string>;
  /** As libpq defines them. Default: `PGSSLMODE`, else `prefer`. */
  sslmode?: Input<"disable" | "allow" | "prefer" | "require" | "verify-ca" | "verify-full">;
  /** File with the certificate authorities to trust. */
  sslrootcert?: Input<string>;
  /** File with the client certificate. */
  sslcert?: Input<string>;
  /** File with the client key. */
  sslkey?: Input<string>;
  /** Greatest number of connections at a time. Default: 4. */
  maxConnections?: Input<number>;
  /** Longest time in milliseconds that one attempt waits for a lock. 10 to 900; default: 200. */
  lockTimeoutMs?: Input<number>;
  /**
   * How long in seconds a step goes on trying before it fails and names who holds the lock; the steps after it in the same
   * set then try for 5 s at most. Default: 120.
   */
  lockBudgetSeconds?: Input<number>;
}

const SECRETS = new Set(["password", "connectionString"]);

/** One PostgreSQL database. No connection is opened before a resource needs it. */
export class Provider extends ProviderResource {
  static override isInstance(value: unknown): value is Provider {
    return (
      typeof value === "object" && value !== null && (value as Record<string, unknown>).__pulumiType === "pgpartition"
    );
  }

  constructor(name: string, args: ProviderArgs = {}, options?: ResourceOptions) {
    // Provider inputs travel as strings; the SDK's rule is JSON for everything that is not one.
    const inputs = Object.fromEntries(
      Object.entries(args).map(([key, value]) => {
        const text = output(value as Input<string | number | undefined>).apply((plain) =>
          typeof plain === "number" ? JSON.stringify(plain) : plain,
        );
        return [key, SECRETS.has(key) && value !== undefined ? secret(text) : text];
      }),
    );
    super("pgpartition", name, inputs, options);
  }
}
