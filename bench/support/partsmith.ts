/** pg-partsmith (PyPI) as a library in a process of its own, which times its calls itself. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Connection } from "../../test/support/postgres";
import { ensurePartsmith } from "./rivalTools";

export interface Answer {
  /** Of the library's call: reading, planning, and with `apply` executing. */
  seconds: number;
  /** In the plan. */
  operations: number;
}

export class Partsmith {
  private readonly answers: AsyncIterator<string>;

  private constructor(private readonly child: ChildProcess) {
    if (child.stdout === null) throw new Error("pg-partsmith has no output");
    this.answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Its environment for Python stands beside its command. */
  static async start({ user, password, host, port, database }: Connection): Promise<Partsmith> {
    const python = join(await ensurePartsmith(), "..", "python");
    const dsn = `postgresql+psycopg://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
    const child = spawn(python, [join(__dirname, "partsmith.py"), dsn], { stdio: ["pipe", "pipe", "inherit"] });
    return new Partsmith(child);
  }

  /** Days from `now` on, each a partition. */
  async ask(action: "plan" | "apply", now: string, days: number): Promise<Answer> {
    this.child.stdin?.write(`${JSON.stringify({ action, now, days })}\n`);
    const { value, done } = await this.answers.next();
    if (done) throw new Error("pg-partsmith ended");
    return JSON.parse(value) as Answer;
  }

  stop(): void {
    this.child.stdin?.end();
  }
}
