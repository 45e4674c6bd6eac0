/** How far a long command is, on standard error, once a second. */
import { bytesText } from "../../topology/sizeText";

const EVERY_MS = 1_000;

export class Progress {
  private readonly started = performance.now();
  private told = this.started;
  private bytes = 0;
  private done = 0;

  constructor(
    private readonly err: (text: string) => void,
    private readonly verb: string,
    private readonly total: number,
  ) {}

  read(bytes: number): void {
    this.bytes += bytes;
    const now = performance.now();
    if (now - this.told < EVERY_MS) return;
    this.told = now;
    this.tell(now);
  }

  finished(): void {
    this.done += 1;
  }

  end(): void {
    this.tell(performance.now());
  }

  private tell(now: number): void {
    const rate = bytesText(Math.round((this.bytes * 1_000) / Math.max(1, now - this.started)));
    this.err(`${this.verb} ${this.done} of ${this.total}, ${bytesText(this.bytes)} read, ${rate} a second\n`);
  }
}
