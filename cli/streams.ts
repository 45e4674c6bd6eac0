/** What a command gives its caller. */

/** Where the command's text goes. */
export interface Streams {
  out: (text: string) => void;
  err: (text: string) => void;
}

/** Exit statuses of every command; `archive verify` has more. */
export const STATUS = { done: 0, impossible: 1, usage: 2 } as const;
