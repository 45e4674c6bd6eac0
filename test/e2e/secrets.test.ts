/** Passwords: nowhere in what a person or a log sees, and in the state only encrypted. */
import assert from "node:assert/strict";
import { describeOnNewest, type TestDatabase } from "../support/postgres";
import { type CommandResult, TestStack } from "../support/stack";

/** Part of every password here: however a password is quoted, escaped or encoded, this stays in it as it is. */
const KERNEL = "Zq7kernelX9";
const PASSWORD = `p@s:s/w?r#d ${KERNEL} '"\\ %41 $1 é&=`;
const WRONG = `wrong ${KERNEL} %`;

/** With `--debug` Pulumi's own Node.js SDK prints what the engine answered it, secrets of every provider included. */
const OF_THE_SDK = /debug: RegisterResource RPC finished: resource:(db|url|broken)\[pulumi:providers:pgpartition\]/;

describeOnNewest("a password of special characters", (server) => {
  let database: TestDatabase;
  let stack: TestStack;
  let role: string;
  const shown: CommandResult[] = [];

  /** One set by `password`, one by `connectionString`. */
  const program = (asOf: string, password: string, port = database.connection.port) => {
    const { host } = database.connection;
    const url = `postgresql://${role}:${encodeURIComponent(password)}@${host}:${port}/${database.connection.database}`;
    const set = (name: string, provider: string) => `
new pgp.PartitionedTable("${name}", {
  columns: [{ name: "at", type: "date" }],
  partitionBy: { range: { column: "at", every: "month" } },
  window: { ahead: 0 },
  asOf: "${asOf}",
}, { provider: ${provider} });`;
    return [
      `const byUrl = new pgp.Provider("url", { connectionString: ${JSON.stringify(url)} });`,
      set("by_password", "provider"),
      set("by_url", "byUrl"),
    ].join("\n");
  };
  const setProgram = (asOf: string, password: string, port = database.connection.port) =>
    stack.setProgram(program(asOf, password, port), { ...database.connection, user: role, password, port });

  const run = async (...args: string[]): Promise<CommandResult> => {
    const result = await stack.run(args);
    shown.push(result);
    return result;
  };

  before(async () => {
    database = await server().createDatabase();
    role = `secretive_${database.connection.database}`;
    const client = await database.client();
    await client.query(`CREATE ROLE ${role} LOGIN PASSWORD ${client.escapeLiteral(PASSWORD)}`);
    await client.query(`ALTER SCHEMA public OWNER TO ${role}`);
    stack = await TestStack.create({
      database: { ...database.connection, user: role, password: PASSWORD },
      program: program("2026-11", PASSWORD),
    });
  });

  after(async () => {
    await stack?.remove();
    const client = await database.client();
    await client.query(`DROP OWNED BY ${role} CASCADE`).catch(() => undefined);
    await client.query(`DROP ROLE IF EXISTS ${role}`).catch(() => undefined);
    await database?.drop();
  });

  it("opens the database, both as `password` and within `connectionString`", async () => {
    const up = await run("up", "--yes", "--diff");
    assert.equal(up.code, 0, up.output);
    const client = await database.client();
    const { rows } = await client.query("SELECT relname FROM pg_class WHERE relname LIKE 'by%_2026_11' ORDER BY 1");
    assert.deepEqual(
      rows.map(({ relname }) => relname),
      ["by_password_2026_11", "by_url_2026_11"],
    );
  });

  it("is in the state as ciphertext only", async () => {
    const { text, resources } = await stack.exportState();
    const inputs = resources
      .filter(({ type }) => type === "pulumi:providers:pgpartition")
      .map((resource) => (resource as { inputs?: Record<string, Record<string, unknown>> }).inputs ?? {});
    const kept = inputs.flatMap(({ password, connectionString }) => [password, connectionString].filter(Boolean));
    assert.equal(kept.length, 2, text);
    for (const value of kept) {
      assert.equal(value?.["4dabf18193072939515e22adb298388d"], "1b47061264138c4ac30d75fd1eb44270", "not a secret");
      assert.ok(typeof value?.ciphertext === "string" && value.plaintext === undefined);
    }
    assert.ok(!text.includes(KERNEL), "the state holds it in clear");
  });

  it("is not repeated by an error: refused, unreachable, or not even a connection string", async () => {
    await setProgram("2026-12", WRONG);
    const refused = await run("up", "--yes", "--skip-preview", "--debug");
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /Cannot connect to .* as secretive_.*28P01/);
    await setProgram("2026-12", WRONG, 1);
    const unreachable = await run("preview", "--json");
    assert.equal(unreachable.code, 0, unreachable.output);
    assert.match(unreachable.output, /Planned from the state alone/);
    await stack.setProgram(
      `const broken = new pgp.Provider("broken", { connectionString: "host=x password='${KERNEL}" });
       new pgp.Table("t", { name: "t", partitionBy: { hash: { columns: ["id"] } } }, { provider: broken });`,
    );
    const broken = await run("preview", "--diff");
    assert.notEqual(broken.code, 0, broken.output);
    assert.match(broken.output, /connectionString is neither a URL nor a list of keyword=value pairs/);
  });

  it("is in nothing that any of these commands said", () => {
    assert.equal(shown.length, 4);
    for (const { output } of shown) {
      const revealing = output.split("\n").filter((line) => line.includes(KERNEL) && !OF_THE_SDK.test(line));
      assert.deepEqual(revealing, []);
    }
  });
});
