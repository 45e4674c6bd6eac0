/** The preview of a large set that finds nothing to do, beside what the engine takes for properties of that size alone. */
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import { encode } from "../../provider/values";
import { type Connection, testServer } from "../../test/support/postgres";
import { TestStack } from "../../test/support/stack";
import { FRESH_BATCH } from "../../topology/plan";
import { seconds } from "./floor";
import { connected } from "./trees";

/** Leaves are so many tenants, each with so many days: a flat table of 10,000 takes PostgreSQL minutes to make. */
export interface Shape {
  tenants: number;
  days: number;
}

/** Seconds, of each round. */
export interface PreviewFigures {
  own: number[];
  floor: number[];
}

const FIRST_DAY = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;

export async function measurePreviews(
  shape: Shape,
  rounds: number,
  log: (text: string) => void,
): Promise<PreviewFigures> {
  const database = await (await testServer(18)).createDatabase();
  await makeByHand(database.connection, shape);
  const stack = await TestStack.create({ database: database.connection, program: programOf(shape) });
  log(`tables made; adopting them: ${await seconds(() => stack.mustUp())}`);
  const scratch = await mkdtemp(join(tmpdir(), "pgpartition-floor-"));
  const floor = await floorStack(await stateOf(stack), scratch);
  const figures: PreviewFigures = { own: [], floor: [] };
  const preview = (one: TestStack) => seconds(() => one.mustRun(["preview", "--expect-no-changes"]));
  // The first of each is a warm-up.
  for (let round = 0; round <= rounds; round++) {
    const time = { own: await preview(stack), floor: await preview(floor) };
    log(`preview, round ${round}: ${time.own}, floor ${time.floor}`);
    if (round === 0) continue;
    figures.own.push(time.own);
    figures.floor.push(time.floor);
  }
  await stack.remove();
  await floor.remove();
  await rm(scratch, { recursive: true });
  return figures;
}

interface SetState {
  inputs: Record<string, unknown>;
  outputs: Record<string, unknown>;
}

async function stateOf(stack: TestStack): Promise<SetState> {
  const { resources } = await stack.exportState();
  const set = resources.find(({ type }) => type.endsWith(":PartitionSet")) as Partial<SetState> | undefined;
  if (set?.inputs === undefined || set.outputs === undefined) throw new Error("the state holds no set");
  return { inputs: set.inputs, outputs: set.outputs };
}

/**
 * A stack with one resource of the same properties, from a provider that does nothing. (A resource whose program gives it
 * so many properties would take far longer: the SDK is slow with them.)
 */
async function floorStack({ inputs, outputs }: SetState, scratch: string): Promise<TestStack> {
  const [ins, outs] = [join(scratch, "inputs"), join(scratch, "outputs")];
  await writeFile(ins, encode(inputs).serializeBinary());
  await writeFile(outs, encode(outputs).serializeBinary());
  const command = `#!/bin/sh\nexec "${process.execPath}" "${join(__dirname, "floorProvider.ts")}"\n`;
  await writeFile(join(scratch, "pulumi-resource-floor"), command, { mode: 0o755 });
  const floor = await TestStack.create({
    program: `class Floor extends pulumi.CustomResource {}\nnew Floor("floor:index:Floor", "floor", {});`,
    env: { FLOOR_INPUTS: ins, FLOOR_OUTPUTS: outs },
  });
  await appendFile(join(floor.directory, "Pulumi.yaml"), `    - name: floor\n      path: ${JSON.stringify(scratch)}\n`);
  await floor.mustUp();
  return floor;
}

function tenantsOf({ tenants }: Shape): string[] {
  return Array.from({ length: tenants }, (_, tenant) => `t${String(tenant).padStart(3, "0")}`);
}

function programOf(shape: Shape): string {
  const values = Object.fromEntries(tenantsOf(shape).map((tenant) => [tenant, [tenant]]));
  return `
new pgp.PartitionedTable("events", {
  columns: [
    { name: "id", type: "bigint", nullable: false },
    { name: "tenant", type: "text", nullable: false },
    { name: "created_at", type: "timestamptz", nullable: false },
  ],
  primaryKey: ["id", "tenant", "created_at"],
  partitionBy: { list: { column: "tenant", values: ${JSON.stringify(values)} } },
  subPartitionBy: {
    partitionBy: { range: { column: "created_at", every: "day" } },
    window: { from: "${dateOf(0)}", ahead: ${shape.days - 1} },
    asOf: "${dateOf(0)}",
  },
}, { provider });
`;
}

/** Two tenants at a time: nobody measures this. Each is attached when it is whole, so that the two do not wait for each other. */
async function makeByHand(connection: Connection, shape: Shape): Promise<void> {
  const tenants = tenantsOf(shape);
  await connected(connection, async (client) => {
    await client.query(
      `CREATE TABLE events (${COLUMNS}, PRIMARY KEY (id, tenant, created_at)) PARTITION BY LIST (tenant)`,
    );
  });
  const work = (client: Client) => makeTenants(client, tenants, shape);
  await Promise.all([connected(connection, work), connected(connection, work)]);
  await connected(connection, async (client) => {
    await client.query("VACUUM ANALYZE");
  });
}

const COLUMNS = "id bigint NOT NULL, tenant text NOT NULL, created_at timestamptz NOT NULL";

/** Takes one tenant after the other from those that are left. */
async function makeTenants(client: Client, left: string[], shape: Shape): Promise<void> {
  for (let tenant = left.shift(); tenant !== undefined; tenant = left.shift()) {
    const table = `events_${tenant}`;
    await client.query(
      `CREATE TABLE ${table} (${COLUMNS}, PRIMARY KEY (id, tenant, created_at)) PARTITION BY RANGE (created_at)`,
    );
    const leaves = Array.from({ length: shape.days }, (_, day) => {
      const [from, to] = [dateOf(day), dateOf(day + 1)];
      return `CREATE TABLE ${table}_${from.replaceAll("-", "_")} PARTITION OF ${table} FOR VALUES FROM ('${from}') TO ('${to}')`;
    });
    while (leaves.length > 0) await client.query(leaves.splice(0, FRESH_BATCH).join(";"));
    await client.query(`ALTER TABLE events ATTACH PARTITION ${table} FOR VALUES IN ('${tenant}')`);
  }
}

function dateOf(day: number): string {
  return new Date(FIRST_DAY + day * DAY_MS).toISOString().slice(0, 10);
}
