/** Ports of this machine. */
import { createServer } from "node:net";
import { errorCode } from "./processes";

/** A port that nobody listens on at this moment. */
export function freePort(host: string): Promise<number> {
  return bind(host, 0);
}

export async function isFree(host: string, port: number): Promise<boolean> {
  try {
    await bind(host, port);
    return true;
  } catch (error) {
    if (errorCode(error) === "EADDRINUSE") return false;
    throw error;
  }
}

/** Binds a port for a moment and gives its number; 0 lets the system choose one that is free. */
function bind(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(port, host, () => {
      const address = probe.address();
      const bound = typeof address === "object" && address !== null ? address.port : port;
      probe.close(() => resolve(bound));
    });
  });
}
