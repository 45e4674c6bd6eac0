/** A limit to what is read in a second, shared by all who read. */
import { setTimeout as pause } from "node:timers/promises";

/** Time and waiting, so that tests need not wait. */
export interface RateClock {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  pause(ms: number, signal?: AbortSignal): Promise<void>;
}

const systemClock: RateClock = {
  now: () => performance.now(),
  pause: async (ms, signal) => void (await pause(ms, undefined, { signal })),
};

/**
 * As much as is given on at once under a limit: a hundredth of a second's. The database would otherwise be idle for a while
 * and then send as fast as it can, which the statements of others meet.
 */
export function pieceBytesOf(bytesPerSecond: number | undefined): number | undefined {
  if (bytesPerSecond === undefined) return undefined;
  return Math.min(Math.max(Math.round(bytesPerSecond / 100), LEAST_PIECE), MOST_PIECE);
}

const LEAST_PIECE = 2 ** 14;
const MOST_PIECE = 2 ** 18;

/** Shorter waits than this cost more than they are good for. */
const LEAST_PAUSE_MS = 10;

export class RateLimit {
  /** When what has been taken so far may have been read. */
  private free: number;

  constructor(
    private readonly bytesPerSecond: number,
    private readonly clock: RateClock = systemClock,
  ) {
    this.free = clock.now();
  }

  /** Resolves when so many bytes more may be read, and rejects when it is given up. Time that nobody has used is not saved up. */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    const now = this.clock.now();
    this.free = Math.max(this.free, now) + (bytes / this.bytesPerSecond) * 1000;
    const wait = this.free - now;
    if (wait >= LEAST_PAUSE_MS) await this.clock.pause(wait, signal);
  }
}
