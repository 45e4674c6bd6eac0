/** A way to an S3 server that keeps what requests say, and on which a test may answer in the server's place. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type Server } from "node:http";

export interface RecordedRequest {
  method: string;
  /** Path and query, as they were sent. */
  url: string;
  headers: IncomingHttpHeaders;
}

export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

/** An error in the words of S3; HEAD has no body, so that its status has to do. */
export function s3Error(status: number, code: string, message: string, headers: Record<string, string> = {}): Answer {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return { status, headers: { "content-type": "application/xml", ...headers }, body };
}

export class RecordingProxy {
  readonly requests: RecordedRequest[] = [];
  /** Undefined: the server answers. */
  answer: (request: RecordedRequest) => Answer | undefined = () => undefined;

  private constructor(
    private readonly server: Server,
    private readonly target: URL,
  ) {}

  static async to(endpoint: string): Promise<RecordingProxy> {
    const server = createServer({ keepAliveTimeout: 0 });
    const proxy = new RecordingProxy(server, new URL(endpoint));
    server.on("request", (incoming, outgoing) => {
      const { method = "", url = "", headers } = incoming;
      const recorded = { method, url, headers };
      proxy.requests.push(recorded);
      const answer = proxy.answer(recorded);
      if (answer === undefined) {
        const led = proxy.lead(incoming, recorded).on("error", () => outgoing.destroy());
        led.on("response", (answered) => {
          // Ours to the server is used once; the client keeps its own.
          const { connection: _, ...headers } = answered.headers;
          outgoing.writeHead(answered.statusCode ?? 502, headers);
          answered.pipe(outgoing);
        });
        return;
      }
      incoming.resume().on("end", () => {
        outgoing.writeHead(answer.status, answer.headers);
        outgoing.end(method === "HEAD" ? undefined : answer.body);
      });
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return proxy;
  }

  get endpoint(): string {
    const address = this.server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy is closed");
    return `http://127.0.0.1:${address.port}`;
  }

  /** Connections that are open, of clients that have not given them up. */
  connections(): Promise<number> {
    return new Promise((resolve, reject) =>
      this.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    );
  }

  /** The last request of this method. */
  last(method: string): RecordedRequest {
    const found = this.requests.findLast((one) => one.method === method);
    if (found === undefined) throw new Error(`no ${method} among ${this.requests.length} requests`);
    return found;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  /** The host stays the one that was signed. */
  private lead(incoming: IncomingMessage, { method, url, headers }: RecordedRequest) {
    const { hostname, port } = this.target;
    return incoming.pipe(request({ hostname, port, method, path: url, headers, agent: false }));
  }
}
