/** A proxy that pools the server's sessions as PgBouncer does: one for each client, or one that serves each transaction. */
import { type AddressInfo, createServer, type Socket } from "node:net";
import { Client } from "pg";
import type { Connection } from "./postgres";

/** `ReadyForQuery` outside a transaction. */
const IDLE = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);
const TERMINATE = 0x58;
/** AuthenticationOk, then a process id and a key that are the proxy's own. */
const WELCOME = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x4b, 0, 0, 0, 12, 0x7f, 1, 2, 3, 4, 5, 6, 7]);

export interface Pooler {
  connection: Connection;
  close(): Promise<void>;
}

/** One session of the server, given to the client whose turn it is. */
class Backend {
  private owner: Socket | undefined;
  private readonly turns: { client: Socket; data: Buffer }[] = [];

  private constructor(
    readonly client: Client,
    private readonly stream: Socket,
  ) {
    stream.removeAllListeners("data");
    stream.on("data", (data: Buffer) => this.answer(data));
  }

  static async open(connection: Connection): Promise<Backend> {
    const client = new Client(connection);
    client.on("error", () => undefined);
    await client.connect();
    return new Backend(client, (client as unknown as { connection: { stream: Socket } }).connection.stream);
  }

  send(client: Socket, data: Buffer): void {
    if (this.owner !== undefined && this.owner !== client) this.turns.push({ client, data });
    else {
      this.owner = client;
      this.stream.write(data);
    }
  }

  private answer(data: Buffer): void {
    this.owner?.write(data);
    if (!data.subarray(-IDLE.length).equals(IDLE)) return;
    this.owner = undefined;
    const next = this.turns.shift();
    if (next !== undefined) this.send(next.client, next.data);
  }
}

export async function startPooler(connection: Connection, mode: "transaction" | "session"): Promise<Pooler> {
  const backends: Promise<Backend>[] = [];
  const backend = () => {
    const opened = Backend.open(connection);
    backends.push(opened);
    return opened;
  };
  const shared = mode === "transaction" ? backend() : undefined;
  const proxy = createServer((client) => {
    client.on("error", () => undefined);
    client.once("data", () => {
      const mine = shared ?? backend();
      client.on("data", (data: Buffer) => {
        if (data[0] !== TERMINATE) void mine.then((one) => one.send(client, data));
      });
      client.write(Buffer.concat([WELCOME, IDLE]));
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return {
    connection: { ...connection, host: "127.0.0.1", port: (proxy.address() as AddressInfo).port },
    close: async () => {
      proxy.close();
      for (const opened of backends) (await opened).client.end().catch(() => undefined);
    },
  };
}
