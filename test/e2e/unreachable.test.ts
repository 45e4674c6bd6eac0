/** Databases that cannot be reached: previews go on with what is declared and recorded, `up` stops in one line. */
import assert from "node:assert/strict";
import { copyFile, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { join, resolve } from "node:path";
import { type TestDatabase, testMajors, testServer } from "../support/postgres";
import { Project } from "../support/project";
import { type Preview, TestStack } from "../support/stack";

const ROOT = resolve(__dirname, "../..");

/** What Pulumi writes to when it makes a stack is copied; everything else is the checkout itself. */
async function copyOfTheCheckout(): Promise<Project> {
  const project = await Project.create();
  for (const name of await readdir(ROOT)) {
    if (/^Pulumi\..*yaml$/.test(name)) await copyFile(join(ROOT, name), join(project.directory, name));
    else if (!name.startsWith(".")) await symlink(join(ROOT, name), join(project.directory, name));
  }
  return project;
}

const PLANNED_FROM_STATE = /Planned from the state alone, without the database: /;

describe("the stacks of this repository without their databases, with a stand-in for the aws plugin", () => {
  let project: Project;

  before(async () => {
    project = await copyOfTheCheckout();
    project.findPluginsIn(join(ROOT, "test", "stand-ins", "bin"));
    for (const stack of ["staging", "prod"]) await project.mustRun("pulumi", ["stack", "init", stack]);
  });
  after(() => project?.remove());

  const sets = new Map<string, Record<string, number>>();

  for (const stack of ["staging", "prod"]) {
    it(`${stack}: the preview shows the whole declared topology and says that it plans from the state alone`, async () => {
      const { code, stdout, output } = await project.pulumi(["preview", "--json", "--stack", stack]);
      assert.equal(code, 0, output);
      const preview = JSON.parse(stdout) as Preview;
      const text = preview.diagnostics.map(({ message }) => message).join("\n");
      const ofType = (type: string) => preview.steps.filter(({ urn }) => urn.split("::")[2]?.endsWith(type));

      const shown = new Set(ofType("$pgpartition:index:Partition").map(({ urn }) => urn.split("::").at(-1)));
      const counts = ofType("$pgpartition:index:PartitionSet").map(({ urn, op, newState }) => {
        const declared = Object.entries((newState?.inputs?.partitions ?? {}) as Record<string, { tier: string }>);
        const partitions = declared.filter(([, { tier }]) => tier === "live").map(([name]) => name);
        assert.equal(op, "create");
        for (const name of partitions) {
          assert.ok(
            [...shown].some((row) => row?.endsWith(name)),
            `no row for ${name}`,
          );
          assert.ok(text.includes(`create ${name} `), `not in the plan: ${name}`);
        }
        return [urn.split("::").at(-1) ?? "", partitions.length] as const;
      });
      sets.set(stack, Object.fromEntries(counts));
      assert.deepEqual(counts.map(([name]) => name).sort(), [
        "ConversationMessage",
        "MessageQueue",
        "chat_messages",
        "messages",
        "orders",
      ]);
      const told = preview.diagnostics.filter(({ message }) => PLANNED_FROM_STATE.test(message));
      assert.deepEqual(new Set(told.map(({ severity }) => severity)), new Set(["warning"]));
      assert.equal(new Set(told.map(({ urn }) => urn)).size, 10, "five tables and five sets say so");
    });
  }

  it("prod keeps more periods than staging, so each stack was planned with its own configuration", () => {
    const [staging, prod] = [sets.get("staging"), sets.get("prod")];
    for (const table of ["ConversationMessage", "MessageQueue", "chat_messages"]) {
      assert.ok((prod?.[table] ?? 0) > (staging?.[table] ?? 0), table);
    }
  });

  it("up fails in one line that says where it could not connect, and makes nothing", async () => {
    // The bucket can be made without the database.
    const file = join(project.directory, "Pulumi.staging.yaml");
    const config = await readFile(file, "utf8");
    await writeFile(file, config.replace(/.*:archive: .*\n/, "").replace(/exportAfter: .*, dropAfter/, "dropAfter"));
    const { code, output } = await project.pulumi(["up", "--yes", "--skip-preview", "--stack", "staging"]);
    await writeFile(file, config);
    assert.notEqual(code, 0);
    const diagnostics = output.slice(output.indexOf("\nDiagnostics:"), output.indexOf("\nResources:"));
    const errors = new Set(diagnostics.match(/error: .*/g));
    errors.delete("error: update failed");
    assert.equal(errors.size, 1, output);
    assert.match(
      [...errors][0] ?? "",
      /^error: Cannot connect to db\.staging\.example\.com:5432\/app as pgpartition: /,
    );
    assert.doesNotMatch(output, /^\s+at /m, "no stack of calls");
  });

  it("an address at which nobody answers is tried once, for all ten resources together", async () => {
    const sockets = new Set<Socket>();
    const silent = await listening(createServer((socket) => sockets.add(socket.on("error", () => undefined))));
    const address = silent.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const file = join(project.directory, "Pulumi.staging.yaml");
    const config = await readFile(file, "utf8");
    await writeFile(file, config.replace("host: db.staging.example.com", `host: 127.0.0.1, port: ${port}`));
    try {
      const preview = await project.pulumi(["preview", "--stack", "staging"], { PGCONNECT_TIMEOUT: "1" });
      assert.equal(preview.code, 0, preview.output);
      assert.match(preview.output, /Cannot connect to 127\.0\.0\.1:\d+\/app as pgpartition: no answer within 1 s/);
      assert.equal(new Set(preview.output.match(/index:Partition \S+ create/g)).size, 37);
      assert.equal(sockets.size, 1);
    } finally {
      for (const socket of sockets) socket.destroy();
      silent.close();
    }
  });
});

function listening(server: Server): Promise<Server> {
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done(server)));
}

describe("a set that exists, while its database cannot be reached", () => {
  let database: TestDatabase;
  let stack: TestStack;

  const program = (asOf: string) => `
new pgp.PartitionedTable("events", {
  columns: [{ name: "at", type: "timestamptz" }],
  partitionBy: { range: { column: "at", every: "month" } },
  window: { from: "2026-10", ahead: 1 },
  asOf: "${asOf}",
  lifecycle: [{ after: "1 month", tier: "detached" }],
}, { provider });`;

  before(async function () {
    this.timeout(0);
    database = await (await testServer(testMajors().at(-1) ?? 18)).createDatabase();
    stack = await TestStack.create({ database: database.connection, program: program("2026-11") });
    await stack.mustUp();
  });
  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  it("rolls forward in the preview from the state alone: the same changes, the same statements", async () => {
    await stack.setProgram(program("2026-12"), { ...database.connection, port: 1 });
    const preview = await stack.preview();
    assert.equal(preview.code, 0, preview.output);
    const set = preview.steps.find(({ urn }) => urn.includes("PartitionSet::"));
    assert.deepEqual(Object.keys(set?.detailedDiff ?? {}).sort(), [
      "asOf",
      "partitions.events_2026_10.tier",
      "partitions.events_2027_01",
    ]);
    const rows = preview.steps.filter(({ op, urn }) => op !== "same" && urn.includes("index:Partition::"));
    assert.deepEqual(rows.map(({ op, urn }) => `${op} ${urn.split("::").at(-1)}`).sort(), [
      "create events_2027_01",
      "update events_2026_10",
    ]);
    const text = preview.diagnostics.map(({ message }) => message).join("\n");
    assert.match(
      text,
      /Planned from the state alone, without the database: .*What was changed there by hand does not show\./,
    );
    assert.match(text, /CREATE TABLE "public"\."events_2027_01" \(LIKE "public"\."events"/);
    assert.match(text, /ALTER TABLE "public"\."events" DETACH PARTITION "public"\."events_2026_10" CONCURRENTLY/);
  });

  it("is not changed by up, which fails in one line; the next up does all of it", async () => {
    const failed = await stack.up();
    assert.notEqual(failed.code, 0);
    assert.match(failed.output, /error: Cannot connect to 127\.0\.0\.1:1\/test_\d+ as postgres: .*ECONNREFUSED/);
    await stack.setProgram(program("2026-12"), database.connection);
    await stack.mustUp();
    const client = await database.client();
    const { rows } = await client.query(
      "SELECT relname || ' ' || relispartition AS found FROM pg_class WHERE relname LIKE 'events_2%' ORDER BY 1",
    );
    assert.deepEqual(
      rows.map(({ found }) => found),
      ["events_2026_10 false", "events_2026_11 true", "events_2026_12 true", "events_2027_01 true"],
    );
  });
});
