/** A way to a server on which a test lets things happen to connections. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** What happens to one connection. Bytes are counted from its begin. */
export interface Accident {
  /** Answered with this instead of being led to the server, once a request is there. */
  answer?: string;
  /** Ends after so many bytes of the server. */
  cutAfter?: number;
  /** After so many bytes of the server no more come, and it stays open. */
  silentAfter?: number;
  /** After so many bytes no more go to the server, and it stays open. */
  deafAfter?: number;
  /** This byte of the client arrives with another bit. */
  flipAt?: number;
  /** So many bytes of the server at a time, with 20 ms between them. */
  drip?: number;
}

export class UnreliableNetwork {
  /** For the next connections, one each; those that follow are as they should be. */
  readonly accidents: Accident[] = [];
  connections = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly target: { host: string; port: number },
  ) {}

  static async to(endpoint: string): Promise<UnreliableNetwork> {
    const { hostname: host, port } = new URL(endpoint);
    const server = createServer();
    const network = new UnreliableNetwork(server, { host, port: Number(port) });
    server.on("connection", (client) => network.lead(client, network.accidents.shift() ?? {}));
    await once(server.listen(0, "127.0.0.1"), "listening");
    return network;
  }

  get endpoint(): string {
    const address = this.server.address();
    if (address === null || typeof address === "string") throw new Error("the network is closed");
    return `http://127.0.0.1:${address.port}`;
  }

  /** Ends every connection; new ones can be made. */
  cutAll(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  close(): void {
    this.cutAll();
    this.server.close();
  }

  private lead(client: Socket, accident: Accident): void {
    this.connections += 1;
    this.sockets.add(client);
    client.on("error", () => undefined);
    const { answer } = accident;
    if (answer !== undefined) {
      client.once("data", () => client.end(answer));
      return;
    }
    const server = connect(this.target);
    this.sockets.add(server);
    server.on("error", () => client.destroy());
    client.on("end", () => server.end());
    client.on("close", () => server.destroy());
    let sent = 0;
    client.on("data", (piece) => {
      const { deafAfter = Infinity, flipAt } = accident;
      const arriving = Buffer.from(piece.subarray(0, Math.max(0, deafAfter - sent)));
      const at = (flipAt ?? -1) - sent;
      if (at >= 0 && at < arriving.length) arriving.writeUInt8(arriving.readUInt8(at) ^ 1, at);
      sent += piece.length;
      if (!server.write(arriving)) {
        client.pause();
        server.once("drain", () => client.resume());
      }
    });
    void this.answer(client, server, accident);
  }

  private async answer(client: Socket, server: Socket, accident: Accident): Promise<void> {
    const { cutAfter = Infinity, silentAfter = Infinity, drip } = accident;
    let got = 0;
    try {
      for await (const piece of server as AsyncIterable<Buffer>) {
        for (let from = 0; from < piece.length; from += drip ?? piece.length) {
          const part = piece.subarray(from, from + (drip ?? piece.length));
          const room = Math.max(0, Math.min(cutAfter, silentAfter) - got);
          got += part.length;
          if (room > 0 && !client.write(part.subarray(0, room))) await writable(client);
          if (drip !== undefined) await new Promise((resolve) => setTimeout(resolve, 20));
          if (got >= cutAfter) client.destroy();
        }
      }
      if (got < silentAfter) client.end();
    } catch {
      client.destroy();
    }
  }
}

/** Or gone. */
function writable(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    const over = () => {
      socket.off("drain", over).off("close", over);
      resolve();
    };
    socket.on("drain", over).on("close", over);
  });
}
