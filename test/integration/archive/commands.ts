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
export async function withFrozenObjects<T>(
  endpoint: string,
  isFrozen: (path: string) => boolean,
  action: (endpoint: string) => Promise<T>,
): Promise<T> {
  const { hostname, port } = new URL(endpoint);
  const server = createServer((asked, answer) => {
    const { method, url: path = "/", headers } = asked;
    if (method === "GET" && isFrozen(path)) {
      answer.writeHead(403, { "content-type": "application/xml" });
      answer.end("<Error><Code>InvalidObjectState</Code><StorageClass>DEEP_ARCHIVE</StorageClass></Error>");
      return;
    }
    const passed = request({ hostname, port, method, path, headers }, (given) => {
      answer.writeHead(given.statusCode ?? 500, given.headers);
      given.pipe(answer);
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
