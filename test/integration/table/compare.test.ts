import assert from "node:assert/strict";
import type { Client } from "pg";
import { alter } from "../../../postgres/table/alter";
import { applyStatements, createTable } from "../../../postgres/table/apply";
import { NO_CHANGE } from "../../../postgres/table/change";
import { compareTable } from "../../../postgres/table/compare";
import { planTable } from "../../../postgres/table/plan";
import { readTable } from "../../../postgres/table/read";
import type { DeclaredTable } from "../../../topology/table/model";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import {
  chatMessages,
  conversationMessage,
  declared,
  PREREQUISITES,
  SYSTEM_TABLES,
  tickets,
  WEIRD_NAMES,
} from "./tables";

async function compare(client: Client, table: DeclaredTable) {
  const actual = await readTable(client, table);
  assert.ok(actual);
  return compareTable(client, table, actual);
}

async function paths(client: Client, table: DeclaredTable): Promise<string[]> {
  return (await compare(client, table)).map(({ severity, path }) => `${severity} ${path}`);
}

describeOnEachPostgres("comparing a declared table", (server) => {
  let database: TestDatabase;
  let client: Client;
  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });
  beforeEach(async () => {
    await client.query(PREREQUISITES);
  });

  for (const [title, raw] of Object.entries(SYSTEM_TABLES)) {
    it(`finds nothing right after creating it: ${title}`, async () => {
      const table = declared(raw);
      await createTable(client, table);
      assert.deepEqual(await compare(client, table), []);
    });
  }

  it("finds nothing with what newer versions have: NULLS NOT DISTINCT, virtual columns", async () => {
    const { major } = server();
    const table = declared({
      name: "newer",
      partitionBy: { range: { column: "at" } },
      columns: [
        { name: "at", type: "date", nullable: false },
        { name: "twice", type: "date", generated: { expression: "at + 1", kind: major >= 18 ? "virtual" : "stored" } },
      ],
      unique: [{ columns: ["at"], nullsNotDistinct: major >= 15 }],
    });
    await createTable(client, table);
    assert.deepEqual(await compare(client, table), []);
  });

  it("finds nothing with weird names for everything that has one", async () => {
    for (const name of WEIRD_NAMES) {
      const other = [...name].reverse().join("");
      await client.query(`CREATE SCHEMA ${client.escapeIdentifier(name)}`);
      const table = declared({
        schema: name,
        name,
        partitionBy: { range: { column: name } },
        columns: [
          { name, type: "bigint", comment: name },
          { name: `x${other}`.slice(0, 20), type: "text", default: client.escapeLiteral(name) },
        ],
        primaryKey: { name: other, columns: [name] },
        indexes: [{ name: `i${name}`.slice(0, 20), columns: [`x${other}`.slice(0, 20)] }],
        comment: name,
      });
      await createTable(client, table);
      assert.deepEqual(await compare(client, table), [], name);
    }
  });

  it("finds nothing in an equal table made by hand, whatever role settings it was made and is read under", async () => {
    await client.query(`SET search_path TO public; SET DateStyle TO 'German'; SET TimeZone TO 'Asia/Kolkata'`);
    await client.query(`
      CREATE TABLE chat_messages (
        id uuid NOT NULL, created_at timestamp without time zone NOT NULL DEFAULT now(), user_id uuid NOT NULL, task_id uuid,
        session_id uuid NOT NULL, message_id character varying(36), role public.messagerole NOT NULL DEFAULT 'user',
        content text NOT NULL, actions json, parse_degraded boolean DEFAULT false,
        tokens_used integer, model_name character varying(100),
        updated_at timestamp without time zone NOT NULL, deleted_at timestamp without time zone,
        CONSTRAINT any_name PRIMARY KEY (id, created_at),
        CONSTRAINT chat_messages_message_id_key UNIQUE (message_id, created_at),
        CONSTRAINT tokens_positive CHECK ((tokens_used >= 0) AND (model_name = ANY (ARRAY['a'::varchar, 'b']))),
        CONSTRAINT chat_messages_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks,
        CONSTRAINT chat_messages_user_id_fkey FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE
      ) PARTITION BY RANGE (created_at);
      CREATE INDEX idx_chat_created_at ON chat_messages (created_at DESC NULLS FIRST);
      CREATE INDEX idx_chat_session_id ON chat_messages (session_id, created_at) INCLUDE (role);
      CREATE INDEX idx_chat_user_id ON chat_messages (user_id) WHERE deleted_at IS NULL;
      CREATE INDEX idx_chat_model ON chat_messages (lower(model_name));
      COMMENT ON COLUMN chat_messages.content IS 'as the user sees it';
      COMMENT ON TABLE chat_messages IS 'messages of all chats'`);
    await client.query("SET search_path TO nowhere");
    assert.deepEqual(await compare(client, declared(chatMessages)), []);
    await client.query(
      `CREATE TABLE public.stamps (at timestamptz DEFAULT '2026-01-02 03:04:05+00') PARTITION BY RANGE (at)`,
    );
    const stamps = declared({
      name: "stamps",
      partitionBy: { range: { column: "at" } },
      columns: [{ name: "at", type: "timestamptz", default: "'2026-01-02 03:04:05'" }],
    });
    assert.deepEqual(await compare(client, stamps), []);
  });

  it("leaves nothing behind and locks nothing but the table it reads", async () => {
    const table = declared(chatMessages);
    await createTable(client, table);
    const relations = async () => (await client.query("SELECT count(*)::int AS n FROM pg_class")).rows;
    await compare(client, table);
    const before = await relations();
    const other = await database.client();
    await other.query(
      "BEGIN; LOCK TABLE users, tasks IN ACCESS EXCLUSIVE MODE; LOCK TABLE chat_messages IN EXCLUSIVE MODE",
    );
    await client.query("SET lock_timeout TO '100ms'");
    assert.deepEqual(await compare(client, table), []);
    assert.deepEqual(await relations(), before);
  });

  it("does not wait for a partition that somebody has locked", async () => {
    const table = declared(conversationMessage);
    await createTable(client, table);
    await client.query(`CREATE TABLE "locked child" PARTITION OF "ConversationMessage" DEFAULT`);
    const other = await database.client();
    await other.query(`BEGIN; LOCK TABLE "locked child" IN ACCESS EXCLUSIVE MODE`);
    await client.query("SET lock_timeout TO '100ms'");
    assert.deepEqual(await compare(client, table), []);
  });

  it("says that it cannot compare on a read-only server", async () => {
    const table = declared(conversationMessage);
    await createTable(client, table);
    await client.query("SET default_transaction_read_only TO on");
    assert.deepEqual(await paths(client, table), ["info columns"]);
  });

  it("sees one foreign key to a partitioned table, however many partitions that has", async () => {
    await client.query(`
      CREATE TABLE regions (id int PRIMARY KEY) PARTITION BY LIST (id);
      CREATE TABLE regions_1 PARTITION OF regions FOR VALUES IN (1);
      CREATE TABLE regions_2 PARTITION OF regions FOR VALUES IN (2)`);
    const table = declared({
      name: "sales",
      partitionBy: { list: { column: "region" } },
      columns: [{ name: "region", type: "int" }],
      foreignKeys: [{ columns: ["region"], references: { table: "regions" } }],
    });
    await createTable(client, table);
    await client.query("CREATE TABLE sales_1 PARTITION OF sales DEFAULT");
    assert.deepEqual(await compare(client, table), []);
  });

  it("reports what is not declared and leaves it alone", async () => {
    const table = declared(conversationMessage);
    await createTable(client, table);
    await client.query(`
      ALTER TABLE "ConversationMessage" ADD COLUMN extra int NOT NULL;
      ALTER TABLE "ConversationMessage" ADD CONSTRAINT extra_check CHECK (extra > 0);
      CREATE INDEX extra_index ON "ConversationMessage" (extra)`);
    const differences = await compare(client, table);
    assert.deepEqual(
      differences.map(({ kind, severity }) => `${severity} ${kind}`),
      ["info columnUndeclared", "info constraintUndeclared", "info indexUndeclared"],
    );
    const actual = await readTable(client, table);
    assert.deepEqual((await planTable(client, table, actual!)).change, NO_CHANGE);
  });

  it("compares only the key of a table whose columns are not declared", async () => {
    await createTable(client, declared(chatMessages));
    const adopted = (column: string) => declared({ name: "chat_messages", partitionBy: { range: { column } } });
    assert.deepEqual(await paths(client, adopted("created_at")), []);
    assert.deepEqual(await paths(client, adopted("updated_at")), ["change partitionBy"]);
  });

  /** One change by hand each, and the one difference that it makes. */
  const CHAT_CHANGES: Record<string, string> = {
    "ALTER COLUMN message_id TYPE varchar(40)": "columns[3].type",
    "ALTER COLUMN role TYPE text": "columns[4].type",
    "ALTER COLUMN content DROP NOT NULL": "columns[5].nullable",
    "ALTER COLUMN task_id SET NOT NULL": "columns[1].nullable",
    "ALTER COLUMN parse_degraded SET DEFAULT true": "columns[7].default",
    "ALTER COLUMN parse_degraded DROP DEFAULT": "columns[7].default",
    "ALTER COLUMN tokens_used SET DEFAULT 3": "columns[8].default",
    "DROP COLUMN actions": "columns[6]",
    "DROP CONSTRAINT chat_messages_pkey": "primaryKey",
    "DROP CONSTRAINT chat_messages_message_id_key": "unique[0]",
    "DROP CONSTRAINT tokens_positive": "checks[0]",
    "DROP CONSTRAINT tokens_positive, ADD CONSTRAINT tokens_positive CHECK (tokens_used > 0)": "checks[0].expression",
    "DROP CONSTRAINT chat_messages_task_id_fkey": "foreignKeys[0]",
    "DROP CONSTRAINT chat_messages_user_id_fkey, ADD CONSTRAINT chat_messages_user_id_fkey FOREIGN KEY (user_id) REFERENCES users":
      "foreignKeys[1].onDelete",
    "DROP CONSTRAINT chat_messages_task_id_fkey, ADD CONSTRAINT chat_messages_task_id_fkey FOREIGN KEY (task_id) REFERENCES other_tasks":
      "foreignKeys[0].references",
    "ALTER CONSTRAINT chat_messages_user_id_fkey DEFERRABLE INITIALLY DEFERRED": "foreignKeys[1].deferrable",
    "RENAME CONSTRAINT chat_messages_message_id_key TO other_key": "unique[0].name",
    "RENAME CONSTRAINT chat_messages_task_id_fkey TO other_fkey": "foreignKeys[0].name",
  };
  const CHAT_STATEMENTS: Record<string, string> = {
    "DROP INDEX idx_chat_user_id": "indexes[2]",
    "DROP INDEX idx_chat_user_id; CREATE INDEX idx_chat_user_id ON chat_messages (user_id)": "indexes[2].where",
    "DROP INDEX idx_chat_created_at; CREATE INDEX idx_chat_created_at ON chat_messages (created_at)":
      "indexes[0].columns",
    "DROP INDEX idx_chat_session_id; CREATE INDEX idx_chat_session_id ON chat_messages (session_id, created_at)":
      "indexes[1].include",
    "DROP INDEX idx_chat_model; CREATE INDEX idx_chat_model ON chat_messages (lower(model_name) text_pattern_ops)":
      "indexes[3].columns",
    "ALTER INDEX idx_chat_model RENAME TO other_index": "indexes[3].name",
    "COMMENT ON COLUMN chat_messages.content IS NULL": "columns[5].comment",
    "COMMENT ON TABLE chat_messages IS 'other'": "comment",
  };
  const changes = {
    ...Object.fromEntries(
      Object.entries(CHAT_CHANGES).map(([sql, path]) => [`ALTER TABLE chat_messages ${sql}`, path]),
    ),
    ...CHAT_STATEMENTS,
  };

  it("finds each change made by hand as exactly one difference, at its property", async () => {
    const table = declared(chatMessages);
    await createTable(client, table);
    for (const [sql, path] of Object.entries(changes)) {
      await client.query("BEGIN");
      await client.query(sql);
      await client.query("COMMIT");
      assert.deepEqual(await paths(client, table), [`change ${path}`], sql);
      await client.query("DROP TABLE chat_messages");
      await createTable(client, table);
    }
  });

  it("finds changes of identity, collation, statistics, generation, sequences and partition key", async () => {
    const ALTERED: [Record<string, unknown>, string, string][] = [
      [conversationMessage, `ALTER COLUMN "conversationId" TYPE text COLLATE "POSIX"`, "columns[1].collation"],
      [conversationMessage, `ALTER COLUMN "conversationId" TYPE bigint USING 0`, "columns[1].type"],
      [conversationMessage, `ALTER COLUMN "seenAt" SET STATISTICS 10`, "columns[4].statistics"],
      [conversationMessage, `ALTER COLUMN "seenAt" TYPE timestamptz`, "columns[4].type"],
      [tickets, "ALTER COLUMN alias DROP DEFAULT", "columns[1].default"],
      [tickets, "ALTER COLUMN number SET DEFAULT 0", "columns[2].default"],
      [tickets, "ALTER COLUMN id SET GENERATED BY DEFAULT", "columns[0].identity"],
      [tickets, "ALTER COLUMN id DROP IDENTITY", "columns[0].identity"],
    ];
    for (const [raw, sql, path] of ALTERED) {
      const table = declared(raw);
      const relation = `public.${client.escapeIdentifier(table.name)}`;
      await createTable(client, table);
      await client.query(`ALTER TABLE ${relation} ${sql}`);
      assert.deepEqual(await paths(client, table), [`change ${path}`], sql);
      await client.query(`DROP TABLE ${relation}`);
    }
    await client.query(`CREATE TABLE keyed (a int) PARTITION BY HASH (a)`);
    const keyed = (by: object) => declared({ name: "keyed", partitionBy: by, columns: [{ name: "a", type: "int" }] });
    assert.deepEqual(await paths(client, keyed({ range: { column: "a" } })), ["change partitionBy"]);
    assert.deepEqual(await paths(client, keyed({ hash: { columns: ["a"] } })), []);
    await client.query(`DROP TABLE keyed; CREATE TABLE keyed (a int) PARTITION BY RANGE (((a + 1)))`);
    assert.deepEqual(await paths(client, keyed({ range: { column: "a" } })), ["change partitionBy"]);
    await client.query(`DROP TABLE keyed; CREATE TABLE keyed (a text) PARTITION BY RANGE (a COLLATE "C")`);
    const text = { name: "keyed", partitionBy: { range: { column: "a" } }, columns: [{ name: "a", type: "text" }] };
    assert.deepEqual(await paths(client, declared(text)), ["change partitionBy"]);
  });

  it("is put right by the planned change, which then has nothing left to do", async () => {
    const table = declared(chatMessages);
    await createTable(client, table);
    const put: Record<string, boolean> = {};
    for (const sql of Object.keys(changes)) {
      await client.query(sql);
      const actual = await readTable(client, table);
      const { change } = await planTable(client, table, actual!);
      const groups =
        change.refused.length +
        (change.statements.length > 0 ? 1 : 0) +
        change.alterations.length +
        change.indexes.length;
      assert.equal(groups, 1, sql);
      await applyStatements(client, change.statements);
      const underLocks = <T>(_: unknown, transaction: () => Promise<T>) => transaction();
      assert.deepEqual(await alter(client, actual!, change.alterations, { underLocks }), []);
      const left = await compare(client, table);
      assert.equal(left.length, change.refused.length + change.indexes.length, sql);
      put[sql.replace("ALTER TABLE chat_messages ", "")] = left.length === 0;
      await client.query("DROP TABLE chat_messages");
      await createTable(client, table);
    }
    assert.equal(put["DROP COLUMN actions"], true);
    assert.equal(put["ALTER COLUMN parse_degraded DROP DEFAULT"], true);
    assert.equal(put["DROP CONSTRAINT chat_messages_user_id_fkey"], undefined);
    assert.equal(put["DROP INDEX idx_chat_user_id"], true);
    assert.equal(put["ALTER COLUMN message_id TYPE varchar(40)"], false);
  });
});
