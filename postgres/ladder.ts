/**
 * How locks are waited for: many short tries, and no try at all while somebody in the way is known to stay longer than
 * the try. A waiting ACCESS EXCLUSIVE lock stops everybody who comes later, so it must never wait for long.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type Blocker, hasSqlstate, LockTimeoutError, SQLSTATE } from "./errors";

/** All times in milliseconds. */
export interface LockLadder {
  /** lock_timeout of the first, second, … try; the last one stands for all further tries. */
  steps: number[];
  /** Pause after a try that failed: at least, and at most. */
  pause: { least: number; most: number };
  /** Time between two looks at who is in the way: first, and at most. */
  look: { first: number; most: number };
  /** From the first look until giving up. */
  budget: number;
}

export const DEFAULT_LADDER: LockLadder = {
  steps: [50, 100, 150, 200],
  pause: { least: 50, most: 150 },
  look: { first: 50, most: 250 },
  budget: 120_000,
};

/** The longest try: with what a statement takes by itself, nobody waits for more than a quarter of a second. */
const LONGEST_STEP = Math.max(...DEFAULT_LADDER.steps);

/** The default ladder with another longest try and another budget, as the provider's configuration gives them. */
export function ladderOf(longestStep = LONGEST_STEP, budget: number = DEFAULT_LADDER.budget): LockLadder {
  const steps = [...new Set(DEFAULT_LADDER.steps.map((step) => Math.min(step, longestStep)).concat(longestStep))];
  return { ...DEFAULT_LADDER, steps, budget };
}

/** Time and chance, replaced in tests. */
export interface Clock {
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** From 0 to 1. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, { signal });
  },
  random: Math.random,
};

/** One thing that needs locks. */
export interface Attempt<T> {
  ladder: LockLadder;
  clock: Clock;
  signal?: AbortSignal;
  /** Who is in the way and will still be there after so many milliseconds. */
  look(ms: number): Promise<Blocker[]>;
  /** The work itself; 55P03, 40P01 and 40001 mean that the locks were not to be had, and nothing is left of the try. */
  run(lockTimeoutMs: number): Promise<T>;
  /** Called before each wait for the sessions that are named. */
  onWait?(blockers: Blocker[]): void;
}

/** 40001: a row that was to be locked has been moved to another partition meanwhile; the next look will find it there. */
const TRY_AGAIN = [SQLSTATE.lockNotAvailable, SQLSTATE.deadlockDetected, SQLSTATE.serializationFailure];

/** @throws LockTimeoutError with those in the way at the end; any other error of the work as it is. */
export async function climb<T>(attempt: Attempt<T>): Promise<T> {
  const { ladder, clock, signal } = attempt;
  const started = clock.now();
  const spent = () => clock.now() - started;
  let tries = 0;
  for (;;) {
    const step = ladder.steps[Math.min(tries, ladder.steps.length - 1)] ?? DEFAULT_LADDER.look.first;
    const blockers = await waitUntilClear(attempt, step, () => spent() >= ladder.budget);
    if (blockers.length > 0) throw new LockTimeoutError(blockers, spent(), tries);
    tries += 1;
    try {
      return await attempt.run(step);
    } catch (error) {
      if (!hasSqlstate(error, ...TRY_AGAIN)) throw error;
      if (spent() >= ladder.budget) throw new LockTimeoutError(await attempt.look(0), spent(), tries);
    }
    const { least, most } = ladder.pause;
    await clock.sleep(least + clock.random() * (most - least), signal);
  }
}

/** Looks until nobody is in the way; those who are when there is no time left. */
async function waitUntilClear<T>(attempt: Attempt<T>, step: number, exhausted: () => boolean): Promise<Blocker[]> {
  const { ladder, clock, signal } = attempt;
  for (let pause = ladder.look.first; ; pause = Math.min(pause * 1.5, ladder.look.most)) {
    signal?.throwIfAborted();
    const blockers = await attempt.look(step);
    if (blockers.length === 0 || exhausted()) return blockers;
    attempt.onWait?.(blockers);
    await clock.sleep(pause, signal);
  }
}
