/** The command, run in this process, and its output fed back to the provider's own Check, Diff and plan. */
import assert from "node:assert/strict";
import yaml from "js-yaml";
import { run } from "../../../cli/command";
import { Sessions } from "../../../postgres/connection";
import { queryable } from "../../../postgres/table/client";
import { compareTable } from "../../../postgres/table/compare";
import { readTable } from "../../../postgres/table/read";
import { checkTable } from "../../../topology/table/validate";
import type { Connection } from "../../support/postgres";
import { SetUnderTest } from "../tree/support";

export type Raw = Record<string, unknown>;

export interface Ran {
  status: number;
  out: string;
  err: string;
}

export async function inspect({ host, port, user, password, database }: Connection, ...args: string[]): Promise<Ran> {
  const ran: Ran = { status: 0, out: "", err: "" };
  const before = process.env.PGPASSWORD;
  process.env.PGPASSWORD = password;
  const target = ["--host", host, "--port", String(port), "--username", user, "--database", database];
  ran.status = await run(["inspect", ...args, ...target, "--sslmode", "disable"], {
    out: (text) => {
      ran.out += text;
    },
    err: (text) => {
      ran.err += text;
    },
  });
  if (before === undefined) delete process.env.PGPASSWORD;
  else process.env.PGPASSWORD = before;
  return ran;
}

export interface Printed {
  set: Raw;
  table?: Raw;
  notes: string;
}

/** What the command prints, as properties; both texts say the same. */
export async function printed(connection: Connection, name: string, ...args: string[]): Promise<Printed> {
  const { status, out, err } = await inspect(connection, name, "--format", "json", ...args);
  assert.deepEqual([status, err], [0, ""]);
  const { resources, notes } = JSON.parse(out) as { resources: { type: string; properties: Raw }[]; notes: Raw[] };
  const text = await inspect(connection, name, "--format", "yaml", ...args);
  const program = yaml.load(text.out.replaceAll("$${", "${")) as { resources: Record<string, { properties: Raw }> };
  assert.deepEqual(
    Object.values(program.resources).map(({ properties }) => properties),
    resources.map(({ properties }) => properties),
  );
  const of = (type: string) => resources.find((one) => one.type === `pgpartition:index:${type}`)?.properties;
  const set = of("PartitionSet");
  assert.ok(set);
  return { set, table: of("Table"), notes: notes.map((note) => note.text).join("\n") };
}

/** The printed declaration, applied by a stack that knows nothing yet, does nothing, and leaves nothing to do. */
export async function expectNothingToDo(connection: Connection, { set, table }: Printed): Promise<void> {
  await withStack(connection, async (stack, sessions) => {
    const { done, failed, findings } = await stack.up(set);
    // How partitions differ from their parent is said in every preview.
    assert.deepEqual([done, failed, findings.filter((text) => !text.startsWith("warning children: "))], [[], [], []]);
    assert.deepEqual((await stack.preview(set)).steps, []);
    assert.deepEqual(stack.diff(set), []);
    if (table === undefined) return;
    const declared = checkTable(table);
    assert.deepEqual(declared.failures, []);
    const { table: parent } = declared;
    assert.ok(parent);
    await sessions.withSession(async (session) => {
      const actual = await readTable(queryable(session), parent);
      assert.ok(actual);
      const differences = await compareTable(queryable(session), parent, actual);
      assert.deepEqual(
        differences.filter(({ severity }) => severity === "change"),
        [],
      );
    });
  });
}

/** Ids of the steps that the declaration would take. */
export function stepsFor(connection: Connection, { set }: Printed): Promise<string[]> {
  return withStack(connection, async (stack) => (await stack.preview(set)).steps.map(({ id }) => id));
}

async function withStack<T>(
  { host, port, user, password, database }: Connection,
  work: (stack: SetUnderTest, sessions: Sessions) => Promise<T>,
): Promise<T> {
  const sessions = new Sessions({ host, port, username: user, password, database, sslmode: "disable" }, {});
  try {
    return await work(new SetUnderTest(sessions), sessions);
  } finally {
    await sessions.close();
  }
}
