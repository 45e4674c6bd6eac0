/**
 * A provider plugin that stands in for another vendor's, where that cannot be had: the gRPC face, over handlers of
 * resources. What it does not implement the engine does not call for.
 */
import * as grpc from "@grpc/grpc-js";
import * as pluginProto from "@pulumi/pulumi/proto/plugin_pb";
import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as proto from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { declaredDifferences } from "../../provider/difference";
import { toServiceError } from "../../provider/rpcErrors";
import { nameOf, typeOf } from "../../provider/urns";
import { decode, encode, type Properties } from "../../provider/values";

/** One kind of resource. */
export interface StandIn {
  /** Properties whose change means another resource. */
  replacing?: readonly string[];
  /** Fills in what the vendor's provider fills in. */
  check?(name: string, inputs: Properties, olds: Properties): Properties;
  /** Outputs as far as the vendor's provider knows them in a preview; `UNKNOWN` stands for the others. */
  planned?(inputs: Properties): Properties;
  create(inputs: Properties): Promise<{ id: string; outputs: Properties }>;
  /** Undefined: it is gone. Default: as recorded. */
  read?(id: string, outputs: Properties): Promise<Properties | undefined>;
  update(id: string, inputs: Properties, outputs: Properties): Promise<Properties>;
  delete(id: string, outputs: Properties): Promise<void>;
}

type Unary<Request, Response> = (request: Request) => Promise<Response> | Response;

function unary<Request, Response>(handle: Unary<Request, Response>): grpc.handleUnaryCall<Request, Response> {
  return (call, callback) => {
    Promise.resolve()
      .then(() => handle(call.request))
      .then(
        (response) => callback(null, response),
        (error: unknown) => callback(toServiceError(error)),
      );
  };
}

/** What a plugin is: the version that the vendor's SDK expects, and its kinds of resources. */
export interface Plugin {
  version: string;
  handlers: Readonly<Record<string, StandIn>>;
}

function serviceOf({ version, handlers }: Plugin): grpc.UntypedServiceImplementation {
  const handlerOf = (urn: string): StandIn => {
    const handler = handlers[typeOf(urn)];
    if (handler === undefined) throw new Error(`This stand-in knows nothing of ${typeOf(urn)}`);
    return handler;
  };
  return {
    handshake: unary<proto.ProviderHandshakeRequest, proto.ProviderHandshakeResponse>(
      () => new proto.ProviderHandshakeResponse(),
    ),
    getPluginInfo: unary<Empty, pluginProto.PluginInfo>(() => {
      const info = new pluginProto.PluginInfo();
      info.setVersion(version);
      return info;
    }),
    checkConfig: unary<proto.CheckRequest, proto.CheckResponse>((request) => checked(decode(request.getNews()).values)),
    diffConfig: unary<proto.DiffRequest, proto.DiffResponse>(() => new proto.DiffResponse()),
    configure: unary<proto.ConfigureRequest, proto.ConfigureResponse>(() => {
      const response = new proto.ConfigureResponse();
      response.setSupportspreview(true);
      return response;
    }),
    check: unary<proto.CheckRequest, proto.CheckResponse>((request) => {
      const { values } = decode(request.getNews());
      const olds = decode(request.getOlds()).values;
      return checked(handlerOf(request.getUrn()).check?.(nameOf(request.getUrn()), values, olds) ?? values);
    }),
    diff: unary<proto.DiffRequest, proto.DiffResponse>((request) => {
      const { replacing = [] } = handlerOf(request.getUrn());
      const [before, after] = [decode(request.getOldInputs()).values, decode(request.getNews()).values];
      return different(declaredDifferences(before, after, new Set(replacing)));
    }),
    create: unary<proto.CreateRequest, proto.CreateResponse>(async (request) => {
      const handler = handlerOf(request.getUrn());
      const { values } = decode(request.getProperties());
      const planned = () => ({ id: "", outputs: handler.planned?.(values) ?? values });
      const { id, outputs } = request.getPreview() ? planned() : await handler.create(values);
      const response = new proto.CreateResponse();
      response.setId(id);
      response.setProperties(encode(outputs));
      return response;
    }),
    read: unary<proto.ReadRequest, proto.ReadResponse>(async (request) => {
      const { values } = decode(request.getProperties());
      const { read } = handlerOf(request.getUrn());
      const found = read === undefined ? values : await read(request.getId(), values);
      const response = new proto.ReadResponse();
      if (found === undefined) return response;
      response.setId(request.getId());
      response.setProperties(encode(found));
      response.setInputs(request.getInputs());
      return response;
    }),
    update: unary<proto.UpdateRequest, proto.UpdateResponse>(async (request) => {
      const handler = handlerOf(request.getUrn());
      const [news, olds] = [decode(request.getNews()).values, decode(request.getOlds()).values];
      const response = new proto.UpdateResponse();
      const outputs = request.getPreview() ? { ...olds, ...news } : await handler.update(request.getId(), news, olds);
      response.setProperties(encode(outputs));
      return response;
    }),
    delete: unary<proto.DeleteRequest, Empty>(async (request) => {
      await handlerOf(request.getUrn()).delete(request.getId(), decode(request.getProperties()).values);
      return new Empty();
    }),
    cancel: unary<Empty, Empty>(() => new Empty()),
  };
}

function checked(inputs: Properties): proto.CheckResponse {
  const response = new proto.CheckResponse();
  response.setInputs(encode(inputs));
  return response;
}

function different(differences: ReturnType<typeof declaredDifferences>): proto.DiffResponse {
  const response = new proto.DiffResponse();
  const { DIFF_NONE, DIFF_SOME } = proto.DiffResponse.DiffChanges;
  response.setChanges(differences.length === 0 ? DIFF_NONE : DIFF_SOME);
  response.setDiffsList(differences.map(({ path }) => path));
  response.setReplacesList(differences.filter(({ kind }) => kind.endsWith("Replace")).map(({ path }) => path));
  return response;
}

/** Serves a plugin until the engine that started this process is gone. */
export function servePlugin(plugin: Plugin): void {
  const server = new grpc.Server();
  server.addService(ResourceProviderService, serviceOf(plugin));
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    process.stdout.write(`${port}\n`);
  });
  const engine = process.ppid;
  setInterval(() => {
    if (process.ppid !== engine) process.exit(0);
  }, 1000).unref();
}
