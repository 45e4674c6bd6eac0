/** The compiled plugin process, spoken to over gRPC as the engine does. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import * as grpc from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as proto from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { decode, encode, type Properties } from "../../provider/values";

export const PLUGIN = join(resolve(__dirname, "../.."), "bin", "pulumi-resource-pgpartition");

export const urnOf = (type: string): string => `urn:pulumi:test::e2e::pgpartition:index:${type}::events`;

export interface Checked {
  inputs: Properties;
  /** Top-level inputs that came back as secrets. */
  secrets: string[];
  /** Reasons by property path. */
  failures: Record<string, string>;
}

export class Plugin {
  /** Everything that it printed. */
  stdout = "";
  stderr = "";

  private constructor(
    readonly process: ChildProcess,
    readonly client: ResourceProviderClient,
  ) {}

  /** `engine`: the address of the engine's own service, as the engine hands it over. */
  static async start(engine: string): Promise<Plugin> {
    const child = spawn(process.execPath, [PLUGIN, engine], { stdio: ["ignore", "pipe", "pipe"] });
    const [port] = (await once(createInterface(child.stdout), "line")) as [string];
    const client = new ResourceProviderClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    const plugin = new Plugin(child, client);
    plugin.stdout = `${port}\n`;
    child.stdout.on("data", (chunk) => {
      plugin.stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      plugin.stderr += chunk;
    });
    return plugin;
  }

  /** Ends the process unless it has ended. */
  async stop(): Promise<void> {
    this.client.close();
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill();
    await once(this.process, "exit");
  }

  /** One request; `send` gets the callback of the generated client. */
  call<Response>(
    send: (answer: (error: grpc.ServiceError | null, response: Response) => void) => unknown,
  ): Promise<Response> {
    return new Promise((done, reject) => {
      send((error, response) => (error ? reject(error) : done(response)));
    });
  }

  async schema(): Promise<string> {
    const request = new proto.GetSchemaRequest();
    const response = await this.call<proto.GetSchemaResponse>((answer) => this.client.getSchema(request, answer));
    return response.getSchema();
  }

  async check(type: string, news: Properties, secrets: string[] = []): Promise<Checked> {
    const request = checkRequest(urnOf(type), news, secrets);
    return checked(await this.call<proto.CheckResponse>((answer) => this.client.check(request, answer)));
  }

  async checkConfig(news: Properties): Promise<Checked> {
    const urn = "urn:pulumi:test::e2e::pulumi:providers:pgpartition::db";
    const request = checkRequest(urn, news, []);
    return checked(await this.call<proto.CheckResponse>((answer) => this.client.checkConfig(request, answer)));
  }

  /** Paths of the difference with their kinds. */
  async diffConfig(olds: Properties, news: Properties): Promise<Record<string, number>> {
    const request = new proto.DiffRequest();
    request.setOldInputs(encode(olds));
    request.setOlds(encode(olds));
    request.setNews(encode(news));
    const response = await this.call<proto.DiffResponse>((answer) => this.client.diffConfig(request, answer));
    const detailed = response.getDetaileddiffMap();
    return Object.fromEntries([...detailed.entries()].map(([path, difference]) => [path, difference.getKind()]));
  }

  configure(args: Properties): Promise<proto.ConfigureResponse> {
    const request = new proto.ConfigureRequest();
    request.setArgs(encode(args));
    return this.call((answer) => this.client.configure(request, answer));
  }

  async previewCreate(type: string, news: Properties): Promise<Properties> {
    const request = new proto.CreateRequest();
    request.setUrn(urnOf(type));
    request.setProperties(encode(news));
    request.setPreview(true);
    const response = await this.call<proto.CreateResponse>((answer) => this.client.create(request, answer));
    return decode(response.getProperties()).values;
  }

  async cancel(): Promise<void> {
    await this.call<Empty>((answer) => this.client.cancel(new Empty(), answer));
  }
}

function checkRequest(urn: string, news: Properties, secrets: string[]): proto.CheckRequest {
  const request = new proto.CheckRequest();
  request.setUrn(urn);
  request.setNews(encode(news, new Set(secrets)));
  return request;
}

function checked(response: proto.CheckResponse): Checked {
  const { values, secrets } = decode(response.getInputs());
  const failures = response.getFailuresList().map((failure) => [failure.getProperty(), failure.getReason()]);
  return { inputs: values, secrets: [...secrets].sort(), failures: Object.fromEntries(failures) };
}
