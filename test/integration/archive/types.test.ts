/** Rows of every type go into an archive and come back as they were. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { measureRows, readRows, writeRows } from "../../../archive/object";
import { FileStore } from "../../../archive/stores/file";
import { copyRowsIn, copyRowsOut, type RowsTable } from "../../../postgres/archive/rows";
import { readColumns } from "../../../postgres/archive/table";
import { type Session, Sessions } from "../../../postgres/connection";
import { UTF8 } from "../../../postgres/encoding";
import type { RowFormat } from "../../../topology/archive";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";

describeOnEachPostgres("an archive of rows of every type", (server) => {
  let database: TestDatabase;
  let sessions: Sessions;
  let directory: string;
  let store: FileStore;

  before(async () => {
    database = await server().createDatabase();
    const client = await database.client();
    await client.end();
    const { user: username, ...rest } = database.connection;
    sessions = new Sessions({ ...rest, username });
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    store = new FileStore(directory);
  });
  after(async () => {
    await sessions.close();
    await database.drop();
    await rm(directory, { recursive: true });
  });

  const tableOf = async (session: Session, name: string): Promise<RowsTable> => {
    const [row] = await session.query<{ oid: number }>("SELECT $1::regclass::oid::integer AS oid", [`public.${name}`]);
    return {
      schema: "public",
      name,
      columns: (await readColumns(session, Number(row?.oid))).map(({ name: column }) => column),
      format: "text",
      encoding: UTF8,
    };
  };

  /** Archives `original` and loads the archive into `copy`; gives the differences, and asserts that all sums agree. */
  const roundTrip = async (session: Session, original: string, copy: string, format: RowFormat) => {
    const from = { ...(await tableOf(session, original)), format };
    const key = `${format}/${original}/rows.copy.zst`;
    const write = (to: string) => (text: Readable) => writeRows(store, to, text, { format });
    const written = await copyRowsOut(session, from, write(key));
    assert.deepEqual(await measureRows(store, written), written);
    await copyRowsIn(session, { ...from, name: copy }, async (into) => pipeline(await readRows(store, written), into));
    const again = await copyRowsOut(session, { ...from, name: copy }, write(`${format}/${copy}/rows`));
    assert.deepEqual([again.rows, again.hash], [written.rows, written.hash]);
    // Columns by name, since the copy may have them in another order; as text, since not every type has an equality.
    const row = (name: string) =>
      `SELECT ${from.columns.map((column) => `"${column}"::text`).join(", ")} FROM public."${name}"`;
    const [one, other] = [row(original), row(copy)];
    const both = `(${one} EXCEPT ALL ${other}) UNION ALL (${other} EXCEPT ALL ${one})`;
    const differences = await session.query(both);
    return { rows: written.rows, differences };
  };

  it("gives back single columns from CSV, where a row may be an empty line or look like the end", async () => {
    await sessions.withSession(async (session) => {
      await session.query(String.raw`CREATE TABLE public.single (value text); CREATE TABLE public.single_copy (value text);
        INSERT INTO public.single VALUES (NULL), (''), ('\.'), (E'a\n\\.\nb'), ('\N'), ('value'), (NULL), ('"'), (E'\r'), (NULL)`);
      assert.deepEqual(await roundTrip(session, "single", "single_copy", "csv"), { rows: 10, differences: [] });
    });
  });

  it("leaves generated columns to who loads it, and knows columns by their names", async () => {
    await sessions.withSession(async (session) => {
      await session.query(`CREATE TABLE public.columns (gone text, a integer, "b ""c" text,
        doubled integer GENERATED ALWAYS AS (a * 2) STORED, id bigint GENERATED ALWAYS AS IDENTITY);
        ALTER TABLE public.columns DROP COLUMN gone;
        CREATE TABLE public.columns_copy (id bigint, doubled integer GENERATED ALWAYS AS (a * 2) STORED, "b ""c" text, a integer);
        INSERT INTO public.columns (a, "b ""c") SELECT i, 'row ' || i FROM generate_series(1, 1000) AS i`);
      const key = "columns/rows";
      const from = await tableOf(session, "columns");
      assert.deepEqual(from.columns, ["a", 'b "c', "id"]);
      const written = await copyRowsOut(session, from, (text) => writeRows(store, key, text));
      await copyRowsIn(session, { ...from, name: "columns_copy" }, async (into) =>
        pipeline(await readRows(store, written), into),
      );
      const columns = `SELECT id, a, "b ""c", doubled FROM public.`;
      const differences = await session.query(
        `(${columns}columns EXCEPT ${columns}columns_copy) UNION ALL (${columns}columns_copy EXCEPT ${columns}columns)`,
      );
      assert.deepEqual([written.rows, differences], [1000, []]);
    });
  });

  it("gives back nothing of an empty table", async () => {
    await sessions.withSession(async (session) => {
      await session.query("CREATE TABLE public.nothing (id integer); CREATE TABLE public.nothing_copy (id integer)");
      assert.deepEqual(await roundTrip(session, "nothing", "nothing_copy", "text"), { rows: 0, differences: [] });
      assert.deepEqual(await roundTrip(session, "nothing", "nothing_copy", "csv"), { rows: 0, differences: [] });
    });
  });

  it("goes on with the session after an error of the server, in either direction, and never after half a text", async () => {
    await sessions.withSession(async (session) => {
      await session.query(
        "CREATE TABLE public.checked (id integer CHECK (id < 10)); INSERT INTO public.checked VALUES (1)",
      );
      const table = await tableOf(session, "checked");
      const write = async (into: NodeJS.WritableStream) => void into.end("1\n11\n");
      await assert.rejects(copyRowsIn(session, table, write), { code: "23514" });
      await assert.rejects(
        copyRowsOut(session, { ...table, columns: ["none"] }, (text) => writeRows(store, "never", text)),
        { code: "42703" },
      );
      assert.deepEqual(await session.query("SELECT count(*)::integer AS rows FROM public.checked"), [{ rows: 1 }]);
    });
    assert.equal(await store.find("never"), undefined);
    const stopped = sessions.withSession(async (session) => {
      const table = await tableOf(session, "checked");
      await copyRowsIn(session, table, async (into) => {
        into.write("2\n");
        throw new Error("the store went away");
      });
    });
    await assert.rejects(stopped, /the store went away/);
    await sessions.withSession(async (session) => {
      assert.deepEqual(await session.query("SELECT count(*)::integer AS rows FROM public.checked"), [{ rows: 1 }]);
    });
  });
});
