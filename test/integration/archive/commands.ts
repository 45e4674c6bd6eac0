/** The archive commands, run in this process. */
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { run } from "../../../cli/command";
import type { Connection } from "../../support/postgres";

export interface Ran {
  status: number;
  out: string;
  err: string;
}

/** `connection`: what the options of a connection say; absent: there are none. */
export async function archive(args: readonly string[], connection?: Connection): Promise<Ran> {
  const ran: Ran = { status: 0, out: "", err: "" };
  const before = process.env.PGPASSWORD;
  process.env.PGPASSWORD = connection?.password;
  try {
    ran.status = await run(["archive", ...args, ...optionsOf(connection)], {
      out: (text) => {
        ran.out += text;
      },
      err: (text) => {
        ran.err += text;
      },
    });
  } finally {
    if (before === undefined) delete process.env.PGPASSWORD;
    else process.env.PGPASSWORD = before;
  }
  return ran;
}

export function optionsOf(connection: Connection | undefined): string[] {
  if (connection === undefined) return [];
  const { host, port, user, database } = connection;
  const target = ["--host", host, "--port", String(port), "--username", user, "--database", database];
  return [...target, "--sslmode", "disable"];
}

/**
 * Stands in for S3 that has moved objects to DEEP_ARCHIVE: passes everything on to a real server, but what `isFrozen` names
 * cannot be read.
 */
export function withFrozenObjects<T>(
  endpoint: string,
  isFrozen: (path: string) => boolean,
  action: (endpoint: string) => Promise<T>,
): Promise<T> {
  const code = "<Error><Code>InvalidObjectState</Code><StorageClass>DEEP_ARCHIVE</StorageClass></Error>";
  return withRefusals(endpoint, ({ method, path }) => (method === "GET" && isFrozen(path) ? code : undefined), action);
}

/** As S3 answers a role that may list below a prefix only, or not at all: what is not there is refused (403). */
export function withoutListing<T>(
  endpoint: string,
  mayList: boolean,
  action: (endpoint: string) => Promise<T>,
): Promise<T> {
  const denied = "<Error><Code>AccessDenied</Code></Error>";
  const isRefused = ({ path, status }: Exchange) =>
    /[?&]list-type=2/.test(path) ? !mayList && /prefix=[^&]*zst/.test(path) : status === 404;
  return withRefusals(endpoint, (exchange) => (isRefused(exchange) ? denied : undefined), action);
}

interface Exchange {
  method: string;
  path: string;
  /** What the server has answered. */
  status: number;
}

/** A server that passes everything on and answers with 403 and a text where `refuse` gives one. */
async function withRefusals<T>(
  endpoint: string,
  refuse: (exchange: Exchange) => string | undefined,
  action: (endpoint: string) => Promise<T>,
): Promise<T> {
  const { hostname, port } = new URL(endpoint);
  const server = createServer((asked, answer) => {
    const { method = "GET", url: path = "/", headers } = asked;
    const passed = request({ hostname, port, method, path, headers }, (given) => {
      const { statusCode: status = 500 } = given;
      const refused = refuse({ method, path, status });
      if (refused === undefined) {
        answer.writeHead(status, given.headers);
        given.pipe(answer);
        return;
      }
      given.resume();
      answer.writeHead(403, { "content-type": "application/xml" });
      answer.end(method === "HEAD" ? undefined : refused);
    });
    passed.on("error", () => answer.destroy());
    asked.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await action(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
