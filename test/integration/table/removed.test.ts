/** What the last update declared and the program leaves out goes, as the preview shows; nothing else does. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Context } from "../../../provider/handler";
import { PartialFailure } from "../../../provider/rpcErrors";
import { tableHandler } from "../../../provider/table/handler";
import type { Properties } from "../../../provider/values";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { startTraffic } from "../../support/traffic";
import { openForEachTest } from "../postgres/opened";
import { constraintsOf, createTree, withContext } from "./trees";

const COLUMNS = [
  { name: "id", type: "bigint", nullable: false },
  { name: "k", type: "int", nullable: false },
  { name: "note", type: "varchar(20)" },
  { name: "amount", type: "int" },
  { name: "account", type: "int" },
];

const CHECK = { expression: "amount > 0" };
const KEY = { name: "to_account", columns: ["account"], references: { table: "account", columns: ["id"] } };
const UNIQUE = { name: "one", columns: ["id", "k"] };
const ALL = { checks: [CHECK], foreignKeys: [KEY], unique: [UNIQUE] };

/** One stack's table: remembers what the state would. */
class TableUnderTest {
  inputs: Properties = {};
  private outputs: Properties = {};
  readonly shown: string[] = [];

  constructor(private readonly context: Context) {
    const log = { ...context.log, diagnostic: async (_: string, text: string) => void this.shown.push(text) };
    const orElse = (action: () => unknown) => action();
    this.context = { ...context, log, database: { ...context.database, orElse } } as unknown as Context;
  }

  private async run(more: Properties, preview: boolean): Promise<Properties> {
    const raw = { name: "tree", partitionBy: { range: { column: "k" } }, columns: COLUMNS, ...more };
    const { inputs: news, failures } = await tableHandler.check({ olds: this.inputs, news: raw });
    assert.deepEqual(failures, []);
    const isNew = Object.keys(this.outputs).length === 0;
    const request = { id: "db/public.tree", news, preview, olds: this.outputs, oldInputs: this.inputs };
    this.outputs = await (isNew
      ? tableHandler.create(this.context, { news, preview }).then(({ outputs }) => outputs)
      : tableHandler.update(this.context, request)
    ).catch((error: unknown) => {
      if (error instanceof PartialFailure) [this.inputs, this.outputs] = [error.inputs, error.outputs];
      throw error;
    });
    return news;
  }

  async preview(more: Properties): Promise<string> {
    this.shown.length = 0;
    const before = this.outputs;
    await this.run(more, true);
    this.outputs = before;
    return this.shown.join("\n");
  }

  async up(more: Properties): Promise<void> {
    this.inputs = await this.run(more, false);
  }
}

describeOnEachPostgres("constraints that are not declared any more", (server) => {
  let database: TestDatabase;
  let client: Client;
  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });
  beforeEach(async () => {
    await createTree(client);
  });

  const withTable = (work: (table: TableUnderTest) => Promise<void>) =>
    withContext(database, (context) => work(new TableUnderTest(context)));
  /** Of the table; what its partitions have by themselves is told with their name. */
  const names = async () =>
    (await constraintsOf(client)).flatMap((line) => {
      const [table = "", name = ""] = line.split(" ");
      if (table === "tree") return [name];
      return line.endsWith(" own") ? [`${table}.${name}`] : [];
    });

  it("go, on the table and every partition, beside readers and writers; what nobody declared stays", () =>
    withTable(async (table) => {
      await table.up(ALL);
      await client.query("ALTER TABLE tree ADD CONSTRAINT by_hand CHECK (amount > -5)");
      assert.deepEqual(await names(), ["by_hand", "one", "to_account", "tree_check"]);
      const preview = await table.preview({});
      for (const name of ["one", "to_account", "tree_check"])
        assert.match(preview, new RegExp(`ALTER TABLE "public"\\."tree" DROP CONSTRAINT "${name}"`));
      assert.match(preview, /lock: ACCESS EXCLUSIVE on "public"\."account"/);
      assert.match(preview, /The check "by_hand" .* is not declared; it is left alone/);
      const jobs = [["SELECT count(*) FROM tree"], ["UPDATE tree SET amount = amount + 1 WHERE k = 3"]];
      const traffic = await startTraffic(database, jobs, 10_000);
      await table.up({});
      assert.deepEqual((await traffic.stop()).failures, []);
      assert.deepEqual(await names(), ["by_hand"]);
      assert.doesNotMatch(await table.preview({}), /DROP CONSTRAINT/);
    }));

  it("that were never declared here stay, and those of a program that declares no columns", () =>
    withTable(async (table) => {
      await client.query("ALTER TABLE tree ADD CONSTRAINT by_hand CHECK (amount > -5)");
      await table.up({});
      await table.up({ comment: "c" });
      assert.deepEqual(await names(), ["by_hand"]);
      await table.up({ checks: [CHECK] });
      await table.up({ columns: undefined });
      assert.deepEqual(await names(), ["by_hand", "tree_check"]);
    }));

  it("stay where others stand on them, with the reason, until those are gone", () =>
    withTable(async (table) => {
      await table.up(ALL);
      await client.query("CREATE TABLE entry (id bigint, k int, FOREIGN KEY (id, k) REFERENCES tree (id, k))");
      assert.match(await table.preview({}), /Foreign keys of public\.entry need it/);
      await assert.rejects(table.up({}), /Foreign keys of public\.entry need it/);
      assert.deepEqual(await names(), ["one"]);
      assert.deepEqual(table.inputs.unique, [{ nullsNotDistinct: false, ...UNIQUE }], "still known as declared");
      await client.query("DROP TABLE entry");
      const { rows } = await client.query<{ name: string }>(
        "SELECT indexrelid::regclass::text AS name FROM pg_index WHERE indrelid = 't1'::regclass AND indisunique",
      );
      await client.query(`ALTER TABLE t1 REPLICA IDENTITY USING INDEX ${rows[0]?.name}`);
      await assert.rejects(table.up({}), /replica identity/);
      await client.query("ALTER TABLE t1 REPLICA IDENTITY DEFAULT");
      await table.up({});
      assert.deepEqual(await names(), []);
    }));

  it("a primary key stays, and says so", () =>
    withTable(async (table) => {
      await table.up({ primaryKey: ["id", "k"] });
      assert.match(await table.preview({}), /A primary key is not dropped/);
      await assert.rejects(table.up({}), /A primary key is not dropped/);
      assert.deepEqual(await names(), ["tree_pkey"]);
    }));
});
