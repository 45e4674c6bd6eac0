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
  const program = yaml.load(text.out) as { resources: Record<string, { properties: Raw }> };
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
export async function expectNothingToDo(
  connection: Connection,
  { set, table }: Printed,
  first: string[] = [],
): Promise<void> {
  const { host, port, user, password, database } = connection;
  const sessions = new Sessions({ host, port, username: user, password, database, sslmode: "disable" }, {});
  try {
    const stack = new SetUnderTest(sessions);
    assert.deepEqual(await stack.settle(set), first);
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
  } finally {
    await sessions.close();
  }
}
