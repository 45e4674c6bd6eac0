/** A resource as the engine would have the provider handle it, with everything that people are told. */
import assert from "node:assert/strict";
import { Database } from "../../../provider/database";
import type { Context, DiffRequest, ResourceHandler } from "../../../provider/handler";
import { partitionSetHandler } from "../../../provider/partitionSet/handler";
import type { Properties } from "../../../provider/values";
import { ViewPublisher } from "../../../provider/views";
import type { Connection } from "../../support/postgres";

export class OneResource {
  /** Diagnostics and final lines of the last operation. */
  said: string[] = [];
  private inputs: Properties = {};
  outputs: Properties = {};
  private running: { database: Database; stop: AbortController } | undefined;

  /** `connection` may be changed on the way. */
  constructor(
    public connection: Connection,
    private readonly handler: ResourceHandler = partitionSetHandler,
  ) {}

  /** Everything that was said, in one text. */
  get text(): string {
    return this.said.join("\n");
  }

  /** Tiers that the state knows, by name. */
  get tiers(): Record<string, string> {
    const partitions = (this.outputs.partitions ?? {}) as Record<string, { tier: string }>;
    return Object.fromEntries(Object.entries(partitions).map(([name, { tier }]) => [name, tier]));
  }

  /** What a preview promises. */
  preview(program: Properties): Promise<Properties> {
    return this.converge(program, true);
  }

  async up(program: Properties): Promise<void> {
    this.outputs = await this.converge(program, false);
    this.inputs = this.check(program);
  }

  /** An update that fails with such a message; what it leaves in the state is kept. */
  async refuses(program: Properties, message: RegExp): Promise<void> {
    await assert.rejects(this.up(program), (error: Error & { outputs?: Properties }) => {
      assert.match(error.message, message);
      if (error.outputs !== undefined) this.outputs = error.outputs;
      return true;
    });
  }

  async refresh(): Promise<void> {
    const read = await this.with((context) =>
      this.handler.read(context, { id: "test", olds: this.outputs, oldInputs: this.inputs }),
    );
    this.outputs = read?.outputs ?? {};
  }

  /** As `pulumi import` does it. */
  async import(id: string): Promise<void> {
    const read = await this.with((context) => this.handler.read(context, { id, olds: {}, oldInputs: {} }));
    this.outputs = read?.outputs ?? {};
    this.inputs = read?.inputs ?? {};
  }

  async destroy(): Promise<void> {
    await this.with((context) =>
      this.handler.delete(context, { id: "test", olds: this.outputs, oldInputs: this.inputs }),
    );
  }

  /** What the engine asks for when somebody presses Ctrl-C. */
  async cancel(): Promise<void> {
    this.running?.stop.abort();
    await this.running?.database.cancel();
  }

  /** Paths of the difference. */
  diff(program: Properties): string[] {
    const request: DiffRequest = {
      id: "test",
      olds: this.outputs,
      oldInputs: this.inputs,
      news: this.check(program),
    };
    return this.handler.diff(request).differences.map(({ path }) => path);
  }

  private check(program: Properties): Properties {
    const { inputs, failures } = this.handler.check({ olds: this.inputs, news: program });
    if (failures.length > 0) throw new Error(JSON.stringify(failures));
    return inputs;
  }

  private converge(program: Properties, preview: boolean): Promise<Properties> {
    const news = this.check(program);
    const { outputs: olds, inputs: oldInputs } = this;
    return this.with(async (context) =>
      Object.keys(olds).length === 0
        ? (await this.handler.create(context, { news, preview })).outputs
        : this.handler.update(context, { id: "test", olds, oldInputs, news, preview }),
    );
  }

  private async with<T>(work: (context: Context) => Promise<T>): Promise<T> {
    this.said = [];
    const { user, ...rest } = this.connection;
    const database = new Database({ ...rest, username: user, sslmode: "disable" });
    const stop = new AbortController();
    this.running = { database, stop };
    const say = async (text: string) => void this.said.push(text);
    try {
      return await work({
        name: "events",
        log: { diagnostic: (severity, text) => say(`${severity}: ${text}`), status: say },
        database,
        views: new ViewPublisher("", "", {}),
        signal: stop.signal,
      });
    } finally {
      await database.cancel();
    }
  }
}
