/** Reading an object over a network that breaks: on from the byte that came last, for as long as any come. */
import { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";

export interface Resumable {
  /** The object from a byte on; what it rejects with is what the reader gets. */
  open(from: number): Promise<Readable>;
  /** What to make of an error of a body, when reading goes on no more. */
  explain(error: unknown): unknown;
  /** Milliseconds without a byte, while one is wanted, after which the connection counts as lost. */
  silenceMs: number;
}

/** Times that reading is begun again without a byte having come. */
const RETRIES = 4;
const FIRST_PAUSE_MS = 100;

export async function readResumably(object: Resumable): Promise<Readable> {
  return Readable.from(pieces(object, await object.open(0)), { objectMode: false });
}

async function* pieces(object: Resumable, first: Readable): AsyncGenerator<Buffer> {
  let body = new Body(first, object.silenceMs);
  let at = 0;
  try {
    for (let failures = 0; ; ) {
      const piece = await body.next();
      if (piece === undefined) return;
      if (piece instanceof Failed) {
        body.close();
        failures += 1;
        if (failures > RETRIES) throw object.explain(piece.error);
        await pause(FIRST_PAUSE_MS * 2 ** (failures - 1));
        body = new Body(await object.open(at), object.silenceMs);
        continue;
      }
      failures = 0;
      at += piece.length;
      yield piece;
    }
  } finally {
    body.close();
  }
}

/** A body that is read piece by piece. */
class Body {
  private readonly pieces: AsyncIterator<Buffer>;

  constructor(
    private readonly stream: Readable,
    private readonly silenceMs: number,
  ) {
    this.pieces = stream[Symbol.asyncIterator]();
  }

  /** Undefined at the end. Only the time is counted in which somebody waits for the store. */
  async next(): Promise<Buffer | Failed | undefined> {
    const silence = setTimeout(() => this.close(new Silence(this.silenceMs)), this.silenceMs);
    try {
      const { value, done } = await this.pieces.next();
      return done ? undefined : value;
    } catch (error) {
      return new Failed(error);
    } finally {
      clearTimeout(silence);
    }
  }

  close(error?: Error): void {
    this.stream.destroy(error);
  }
}

class Failed {
  constructor(readonly error: unknown) {}
}

/** Nothing has come for too long. */
class Silence extends Error {
  readonly code = "ETIMEDOUT";

  constructor(ms: number) {
    super(`no byte within ${ms / 1000} s`);
  }
}
