/**
 * A provider that does nothing but give its one resource properties of a wanted size: `FLOOR_INPUTS` and `FLOOR_OUTPUTS` name
 * files with serialized structs. What it costs is what the engine, its protocol and the state cost. In the way of CommonJS
 * and of plain JavaScript with types, so that Node.js runs it without a loader.
 */
const { readFileSync } = require("node:fs") as typeof import("node:fs");
const grpc = require("@grpc/grpc-js") as typeof import("@grpc/grpc-js");
const plugin = require("@pulumi/pulumi/proto/plugin_pb") as typeof import("@pulumi/pulumi/proto/plugin_pb");
const { ResourceProviderService } =
  require("@pulumi/pulumi/proto/provider_grpc_pb") as typeof import("@pulumi/pulumi/proto/provider_grpc_pb");
const proto = require("@pulumi/pulumi/proto/provider_pb") as typeof import("@pulumi/pulumi/proto/provider_pb");
const { Struct } =
  require("google-protobuf/google/protobuf/struct_pb") as typeof import("google-protobuf/google/protobuf/struct_pb");

const MAX_MESSAGE_BYTES = 400 * 1024 * 1024;

type Answer = () => unknown;

const struct = (variable: string) => Struct.deserializeBinary(readFileSync(process.env[variable] ?? ""));

const ANSWERS: Record<string, Answer> = {
  handshake: () => new proto.ProviderHandshakeResponse(),
  getPluginInfo: () => {
    const info = new plugin.PluginInfo();
    info.setVersion("0.1.0");
    return info;
  },
  checkConfig: () => new proto.CheckResponse(),
  diffConfig: () => new proto.DiffResponse(),
  configure: () => {
    const response = new proto.ConfigureResponse();
    response.setSupportspreview(true);
    return response;
  },
  check: () => {
    const response = new proto.CheckResponse();
    response.setInputs(struct("FLOOR_INPUTS"));
    return response;
  },
  diff: () => {
    const response = new proto.DiffResponse();
    response.setChanges(proto.DiffResponse.DiffChanges.DIFF_NONE);
    return response;
  },
  create: () => {
    const response = new proto.CreateResponse();
    response.setId("floor");
    response.setProperties(struct("FLOOR_OUTPUTS"));
    return response;
  },
};

const service = Object.fromEntries(
  Object.entries(ANSWERS).map(([name, answer]) => [
    name,
    (_: unknown, callback: (error: null, response: unknown) => void) => callback(null, answer()),
  ]),
);

const server = new grpc.Server({
  "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
});
server.addService(ResourceProviderService, service as import("@grpc/grpc-js").UntypedServiceImplementation);
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.stdout.write(`${port}\n`);
});
