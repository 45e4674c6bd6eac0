/** The gRPC face of the provider: requests in, handler calls, responses out. No decisions are made here. */
import * as grpc from "@grpc/grpc-js";
import * as pluginProto from "@pulumi/pulumi/proto/plugin_pb";
import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as proto from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { checkConfig, diffConfig } from "./config";
import type { DifferenceKind, PropertyDifference } from "./difference";
import type { Context, ResourceHandler } from "./handler";
import { HANDLERS } from "./handlers";
import type { ProviderProcess } from "./providerProcess";
import { toServiceError } from "./rpcErrors";
import { readSchema, VERSION } from "./schema";
import { nameOf, typeOf } from "./urns";
import { decode, encode } from "./values";
import { oldViewsOf, ViewPublisher } from "./views";

type Unary<Request, Response> = (request: Request) => Response | Promise<Response>;

/** Adapts a function to gRPC: every thrown error becomes a status that the engine can show. */
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

function handlerFor(urn: string): ResourceHandler {
  const handler = HANDLERS[typeOf(urn)];
  if (handler === undefined) {
    throw new Error(
      `Resource type ${typeOf(urn)} is not in this version of pgpartition. Known: ${Object.keys(HANDLERS).join(", ")}.`,
    );
  }
  return handler;
}

interface OperationRequest {
  getUrn(): string;
  getResourceStatusAddress(): string;
  getResourceStatusToken(): string;
  getOldViewsList?(): proto.View[];
}

export function createService(provider: ProviderProcess): grpc.UntypedServiceImplementation {
  const context = (request: OperationRequest) => ({
    name: nameOf(request.getUrn()),
    log: provider.log.forResource(request.getUrn()),
    database: provider.database(),
    views: new ViewPublisher(
      request.getResourceStatusAddress(),
      request.getResourceStatusToken(),
      oldViewsOf(request.getOldViewsList?.() ?? []),
    ),
    signal: provider.signal,
  });

  return {
    handshake: unary<proto.ProviderHandshakeRequest, proto.ProviderHandshakeResponse>(() => {
      const response = new proto.ProviderHandshakeResponse();
      response.setAcceptSecrets(true);
      return response;
    }),

    getPluginInfo: unary<Empty, pluginProto.PluginInfo>(() => {
      const info = new pluginProto.PluginInfo();
      info.setVersion(VERSION);
      return info;
    }),

    getSchema: unary<proto.GetSchemaRequest, proto.GetSchemaResponse>(() => {
      const response = new proto.GetSchemaResponse();
      response.setSchema(readSchema());
      return response;
    }),

    checkConfig: unary<proto.CheckRequest, proto.CheckResponse>((request) => {
      const { values, secrets } = decode(request.getNews());
      return checkResponse(checkConfig(values), secrets);
    }),

    diffConfig: unary<proto.DiffRequest, proto.DiffResponse>((request) =>
      diffResponse(diffConfig(decode(request.getOldInputs()).values, decode(request.getNews()).values)),
    ),

    configure: unary<proto.ConfigureRequest, proto.ConfigureResponse>((request) => {
      provider.configure(decode(request.getArgs()).values);
      const response = new proto.ConfigureResponse();
      response.setAcceptsecrets(true);
      response.setSupportspreview(true);
      return response;
    }),

    check: unary<proto.CheckRequest, proto.CheckResponse>((request) => {
      const news = decode(request.getNews());
      const handler = handlerFor(request.getUrn());
      const result = handler.check({ olds: decode(request.getOlds()).values, news: news.values });
      provider.claims.declare(request.getUrn(), handler.relation(result.inputs));
      return checkResponse(result, news.secrets);
    }),

    diff: unary<proto.DiffRequest, proto.DiffResponse>(async (request) => {
      const result = handlerFor(request.getUrn()).diff({
        id: request.getId(),
        olds: decode(request.getOlds()).values,
        oldInputs: decode(request.getOldInputs()).values,
        news: decode(request.getNews()).values,
      });
      const log = provider.log.forResource(request.getUrn());
      for (const warning of result.warnings ?? []) await log.diagnostic("warning", warning);
      return diffResponse(result.differences);
    }),

    create: unary<proto.CreateRequest, proto.CreateResponse>(async (request) => {
      const news = decode(request.getProperties());
      const handler = handlerFor(request.getUrn());
      const created = await handler.create(context(request), {
        news: news.values,
        preview: request.getPreview(),
      });
      if (!request.getPreview()) provider.claims.create(request.getUrn(), handler.relation(created.outputs));
      const response = new proto.CreateResponse();
      response.setId(created.id);
      response.setProperties(encode(created.outputs, news.secrets));
      return response;
    }),

    read: unary<proto.ReadRequest, proto.ReadResponse>(async (request) => {
      const olds = decode(request.getProperties());
      const oldInputs = decode(request.getInputs());
      const found = await handlerFor(request.getUrn()).read(context(request), {
        id: request.getId(),
        olds: olds.values,
        oldInputs: oldInputs.values,
      });
      const response = new proto.ReadResponse();
      if (found === undefined) return response;
      response.setId(found.id);
      response.setProperties(encode(found.outputs, olds.secrets));
      response.setInputs(encode(found.inputs ?? oldInputs.values, oldInputs.secrets));
      return response;
    }),

    update: unary<proto.UpdateRequest, proto.UpdateResponse>(async (request) => {
      const news = decode(request.getNews());
      const outputs = await handlerFor(request.getUrn()).update(context(request), {
        id: request.getId(),
        olds: decode(request.getOlds()).values,
        oldInputs: decode(request.getOldInputs()).values,
        news: news.values,
        preview: request.getPreview(),
      });
      const response = new proto.UpdateResponse();
      response.setProperties(encode(outputs, news.secrets));
      return response;
    }),

    delete: unary<proto.DeleteRequest, Empty>(async (request) => {
      const urn = request.getUrn();
      const handler = handlerFor(urn);
      const olds = decode(request.getProperties()).values;
      const successor = provider.claims.successor(urn, handler.relation(olds));
      if (successor === undefined) {
        const oldInputs = decode(request.getOldInputs()).values;
        await handler.delete(context(request), { id: request.getId(), olds, oldInputs });
      } else {
        await forget(context(request), successor);
      }
      return new Empty();
    }),

    cancel: unary<Empty, Empty>(async () => {
      await provider.cancel();
      return new Empty();
    }),
  };
}

/** The resource goes from the state only. */
async function forget({ log, views }: Context, successor: string): Promise<void> {
  await views.withdraw();
  await log.diagnostic("info", `Nothing was deleted: ${nameOf(successor)} stands for the same table now.`);
}

function checkResponse(
  result: {
    inputs: Record<string, unknown>;
    failures: { property: string; reason: string }[];
    secrets?: ReadonlySet<string>;
  },
  secrets: ReadonlySet<string>,
): proto.CheckResponse {
  const response = new proto.CheckResponse();
  response.setInputs(encode(result.inputs, new Set([...secrets, ...(result.secrets ?? [])])));
  for (const { property, reason } of result.failures) {
    const failure = new proto.CheckFailure();
    failure.setProperty(property);
    failure.setReason(reason);
    response.addFailures(failure);
  }
  return response;
}

const KINDS: Record<DifferenceKind, proto.PropertyDiff.Kind> = {
  add: proto.PropertyDiff.Kind.ADD,
  delete: proto.PropertyDiff.Kind.DELETE,
  update: proto.PropertyDiff.Kind.UPDATE,
  addReplace: proto.PropertyDiff.Kind.ADD_REPLACE,
  updateReplace: proto.PropertyDiff.Kind.UPDATE_REPLACE,
};

function diffResponse(differences: PropertyDifference[]): proto.DiffResponse {
  const response = new proto.DiffResponse();
  const { DIFF_NONE, DIFF_SOME } = proto.DiffResponse.DiffChanges;
  response.setChanges(differences.length === 0 ? DIFF_NONE : DIFF_SOME);
  response.setHasdetaileddiff(true);
  const topLevel = (path: string) => path.split(/[.[]/, 1)[0] ?? path;
  response.setDiffsList([...new Set(differences.map(({ path }) => topLevel(path)))]);
  response.setReplacesList(
    differences.filter(({ kind }) => kind.endsWith("Replace")).map(({ path }) => topLevel(path)),
  );
  const detailed = response.getDetaileddiffMap();
  for (const { path, kind, inputDiff } of differences) {
    const difference = new proto.PropertyDiff();
    difference.setKind(KINDS[kind]);
    difference.setInputdiff(inputDiff ?? false);
    detailed.set(path, difference);
  }
  return response;
}

/** Starts the server on a free loopback port and returns the port. */
export function serve(provider: ProviderProcess): Promise<{ server: grpc.Server; port: number }> {
  const server = new grpc.Server({ "grpc.max_receive_message_length": provider.maxMessageBytes });
  server.addService(ResourceProviderService, createService(provider));
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve({ server, port });
    });
  });
}
