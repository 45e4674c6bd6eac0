/** What the engine sees of the plugin process: start, handshake, configuration, checks, the end. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import * as grpc from "@grpc/grpc-js";
import type { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import * as proto from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { isAlive } from "../../../tools/processes";
import { UNKNOWN } from "../../../topology/unknown";
import { PLUGIN, Plugin } from "../../support/plugin";

const SET = {
  table: "events",
  partitionBy: { range: { column: "at", type: "date", every: "month" } },
  asOf: "2026-11",
};

describe("the plugin process", () => {
  let engine: grpc.Server;
  let address: string;
  let plugin: Plugin;

  before(async () => {
    // Any server will do for the engine: what the plugin logs there is answered with "unimplemented".
    engine = new grpc.Server();
    const port = await new Promise<number>((done, reject) =>
      engine.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : done(bound),
      ),
    );
    address = `127.0.0.1:${port}`;
    plugin = await Plugin.start(address);
  });

  after(async () => {
    await plugin?.stop();
    engine.forceShutdown();
  });

  it("prints its port first, and nothing else after any of these requests", async () => {
    await plugin.schema();
    await plugin.check("PartitionSet", {});
    await plugin.configure({ host: "127.0.0.1", port: "1", password: "x" });
    await plugin.previewCreate("PartitionSet", (await plugin.check("PartitionSet", SET)).inputs);
    assert.match(plugin.stdout, /^\d+\n$/);
    assert.equal(plugin.stderr, "");
  });

  it("says in the handshake that it takes secrets, and in Configure that it can preview", async () => {
    const handshake = await plugin.call<proto.ProviderHandshakeResponse>((answer) =>
      plugin.client.handshake(new proto.ProviderHandshakeRequest(), answer),
    );
    assert.equal(handshake.getAcceptSecrets(), true);
    const configured = await plugin.configure({});
    assert.equal(configured.getSupportspreview(), true);
    assert.equal(configured.getAcceptsecrets(), true);
  });

  it("has the version of the package and of the schema", async () => {
    const info = await plugin.call<PluginInfo>((answer) => plugin.client.getPluginInfo(new Empty(), answer));
    assert.equal(info.getVersion(), (JSON.parse(await plugin.schema()) as { version: string }).version);
  });

  it("opens no connection to check, compare or take a configuration, or to check inputs", async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as { port: number };
    const config = { host: "127.0.0.1", port: String(port), database: "d", username: "u", sslmode: "disable" };
    const own = await Plugin.start(address);
    try {
      assert.deepEqual((await own.checkConfig(config)).failures, {});
      await own.diffConfig(config, { ...config, database: "e" });
      await own.configure(config);
      const { inputs } = await own.check("PartitionSet", SET);
      assert.equal(connections, 0);
      await own.previewCreate("PartitionSet", inputs);
      assert.equal(connections, 1, "the first resource does connect");
    } finally {
      await own.stop();
      server.close();
    }
  });

  it("returns passwords as secrets, and never replaces the provider for another host, port or password", async () => {
    const { secrets } = await plugin.checkConfig({ host: "a", password: "p", connectionString: "host=a" });
    assert.deepEqual(secrets, ["connectionString", "password"]);
    const [before, after] = ["a", "b"].map((text) => ({ host: text, port: text === "a" ? "1" : "2", password: text }));
    const { UPDATE } = proto.PropertyDiff.Kind;
    assert.deepEqual(await plugin.diffConfig(before ?? {}, after ?? {}), {
      host: UPDATE,
      port: UPDATE,
      password: UPDATE,
    });
  });

  it("reports every wrong input at once, each under its path", async () => {
    const { failures } = await plugin.check("PartitionSet", {
      table: "e".repeat(64),
      partitionBy: { range: { column: "at", type: "date", every: "fortnight" } },
      asOf: "yesterday",
      window: { ahead: -1 },
      lifecycle: [{ after: "1 month", tier: "archived" }],
      unmanaged: "panic",
    });
    assert.deepEqual(Object.keys(failures).sort(), [
      "asOf",
      "lifecycle[0].tier",
      "partitionBy.range.every",
      "table",
      "unmanaged",
      "window.ahead",
    ]);
  });

  it("passes on what is not known yet, and plans nothing from it", async () => {
    const { inputs, failures } = await plugin.check("PartitionSet", { ...SET, asOf: UNKNOWN, onDelete: "drop" });
    assert.deepEqual(failures, {});
    assert.equal(inputs.asOf, UNKNOWN);
    assert.equal(inputs.partitions, UNKNOWN);
    assert.equal(inputs.onDelete, "drop");
    assert.equal((await plugin.previewCreate("PartitionSet", inputs)).partitions, UNKNOWN);

    const table = { name: UNKNOWN, partitionBy: { range: { column: "at" } }, columns: [{ name: "at", type: UNKNOWN }] };
    const checked = await plugin.check("Table", table);
    assert.deepEqual(checked.failures, {});
    assert.equal(checked.inputs.name, UNKNOWN);
    assert.deepEqual(checked.inputs.columns, [{ name: "at", type: UNKNOWN, nullable: true }]);
  });

  it("gives back as a secret what came as one", async () => {
    assert.deepEqual((await plugin.check("PartitionSet", SET, ["asOf"])).secrets, ["asOf"]);
  });

  it("answers for a resource that it does not have with the names of those it has", async () => {
    await assert.rejects(plugin.check("Conversion", {}), /Conversion is not in this version.*Table.*PartitionSet/);
  });

  it("takes Cancel twice", async () => {
    const own = await Plugin.start(address);
    await own.configure({ host: "127.0.0.1" });
    await own.cancel();
    await own.cancel();
    await own.stop();
  });

  it("ends when the process that started it has died", async () => {
    const script = `const child = require("child_process").spawn(process.execPath, ${JSON.stringify([PLUGIN, address])},
      { stdio: ["ignore", "pipe", "ignore"] });
      child.stdout.once("data", () => console.log(child.pid));
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    const [pid] = (await once(createInterface(parent.stdout), "line")) as [string];
    assert.ok(isAlive(Number(pid)));
    parent.kill("SIGKILL");
    while (isAlive(Number(pid))) await new Promise((done) => setTimeout(done, 50));
  });

  it("ends with a sentence when somebody starts it by hand", async () => {
    const child = spawn(process.execPath, [PLUGIN], { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    child.stderr.on("data", (chunk) => {
      text += chunk;
    });
    const [code] = await once(child, "close");
    assert.equal(code, 1);
    assert.match(text, /^pulumi-resource-pgpartition is started by the Pulumi engine[^\n]*\n$/);
  });
});
