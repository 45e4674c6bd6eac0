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

/** Values of each type, as SQL. `since`: the first version that has them. */
const TYPES: Record<string, { type: string; values: string[]; since?: number }> = {
  booleans: { type: "boolean", values: ["true", "false", "NULL"] },
  integers: { type: "bigint", values: ["-9223372036854775808", "9223372036854775807", "0"] },
  floats: {
    type: "double precision",
    values: ["'NaN'", "'infinity'", "'-infinity'", "'-0'", "5e-324", "1.7976931348623157e308", "0.1", "1::float8/3"],
  },
  reals: { type: "real", values: ["'NaN'", "1::real/3", "1e-45", "3.4028235e38"] },
  numerics: {
    type: "numeric",
    values: [
      "'NaN'",
      "'Infinity'",
      "'-Infinity'",
      "0.000",
      "repeat('9', 1000)::numeric",
      "('0.' || repeat('1', 900))::numeric",
    ],
  },
  "numerics of a thousand digits": { type: "numeric(1000, 500)", values: ["repeat('8', 500)::numeric", "-0.5"] },
  money: { type: "money", values: ["'-92233720368547758.08'::money", "'12.34'::money"] },
  texts: {
    type: "text",
    values: [
      "''",
      "NULL",
      "E'\\\\N'",
      "E'\\\\.'",
      "E'a\\tb\\nc\\r\\nd\\\\e'",
      "E'\\b\\f\\v\\x01\\x7f'",
      `'"''"'`,
      "'𝕏 é 🐘 日本'",
      "' leading and trailing '",
      "repeat('x', 3000000)",
      "E'\\n'",
    ],
  },
  "characters of fixed length": { type: "character(5)", values: ["'ab'", "''"] },
  names: { type: "name", values: ["'Mixed \"Name\"'"] },
  bytes: { type: "bytea", values: ["'\\x'", "'\\x00ff0a5c09'", "decode(repeat('5c', 100000), 'hex')"] },
  dates: { type: "date", values: ["'infinity'", "'-infinity'", "'4713-01-01 BC'", "'5874897-12-31'"] },
  times: { type: "time", values: ["'24:00'", "'23:59:59.999999'"] },
  "times with zone": { type: "timetz", values: ["'12:00:00.5+13:30:15'", "'00:00-12'"] },
  timestamps: {
    type: "timestamp",
    values: ["'infinity'", "'-infinity'", "'0044-03-15 12:00 BC'", "'294276-12-31 23:59:59.999999'"],
  },
  "timestamps with zone": {
    type: "timestamptz",
    values: ["'infinity'", "'-infinity'", "'2026-11-01 01:30 America/New_York'", "'1890-01-01 00:00+00:17:30'"],
  },
  intervals: { type: "interval", values: ["'-1 year 2 months -3 days 04:05:06.789'", "'178000000 years'", "'0'"] },
  "infinite intervals": { type: "interval", values: ["'infinity'", "'-infinity'"], since: 17 },
  uuids: { type: "uuid", values: ["'018f3c9e-7a1b-7c3d-8e4f-1234567890ab'"] },
  json: { type: "json", values: [`E' { "b" : 1,\\n "a":[null, "\\\\u00e9"] , "a":2}'`, `E'{"t": "a\\\\tb"}'`] },
  jsonb: { type: "jsonb", values: [`'{"b": 1.10, "a": [null, "\\"\\\\\\\\"]}'`, "'null'", "NULL"] },
  jsonpath: { type: "jsonpath", values: [`'$.a[*] ? (@.b > 1)'`] },
  xml: { type: "xml", values: ["'<a b=\"1\">x &amp; y</a>'", "'text, <b/> and more'"] },
  arrays: { type: "integer[]", values: ["'{}'", "'{1,NULL,3}'", "'{{1,2},{3,4}}'", "'[-1:1]={1,2,3}'"] },
  "arrays of texts": { type: "text[]", values: [`ARRAY['', NULL, 'NULL', 'a"b', E'c\\\\d', 'e,f', '{g}', E'h\\ti']`] },
  "arrays of arrays of composites": {
    type: "pair[]",
    values: [`ARRAY[ROW('a"(,', NULL)::pair, ROW(NULL, '{1}')::pair]`],
  },
  ranges: { type: "int4range", values: ["'empty'", "'(,)'", "'[1,5)'"] },
  "ranges of instants": {
    type: "tstzrange",
    values: ["'[2026-01-01 00:00+00, infinity)'", "'(,\"2026-01-01 00:00:00.5+00\"]'"],
  },
  multiranges: { type: "nummultirange", values: ["'{}'", "'{[1.5,2), (3,)}'"] },
  enums: { type: "mood", values: ["'so, so'", "'good'"] },
  domains: { type: "positive", values: ["1", "NULL"] },
  composites: {
    type: "pair",
    values: [`ROW('', NULL)::pair`, `ROW(E'a\\nb\\\\', '{"x",NULL}')::pair`, `ROW(NULL, NULL)::pair`],
  },
  bits: { type: "bit(3)", values: ["B'101'"] },
  "varying bits": { type: "bit varying", values: ["B''", "B'0101010101'"] },
  "text search vectors": { type: "tsvector", values: [`'a:1A ''b c'':2 ''d''''e'':3'`] },
  "text search queries": { type: "tsquery", values: [`'a & !b | c:*A'`] },
  addresses: { type: "inet", values: ["'::ffff:1.2.3.4/128'", "'10.0.0.1/8'"] },
  networks: { type: "cidr", values: ["'10.0.0.0/8'", "'2001:db8::/32'"] },
  "network cards": { type: "macaddr8", values: ["'08:00:2b:01:02:03:04:05'"] },
  points: { type: "point", values: ["'(0.1,-1e-300)'", "'(NaN,Infinity)'"] },
  paths: { type: "path", values: ["'[(0,0),(1,1)]'", "'((0,0),(1,1))'"] },
  polygons: { type: "polygon", values: ["'((0,0),(1,0),(0.3,0.1))'"] },
  circles: { type: "circle", values: ["'<(0,0),0.1>'"] },
  positions: { type: "pg_lsn", values: ["'16/B374D848'"] },
  relations: { type: "regclass", values: ["'pg_catalog.pg_class'::regclass", "'\"Odd; name\"'::regclass"] },
};

/** Types whose values CSV quotes otherwise than text escapes them. */
const QUOTED_IN_CSV = ["texts", "bytes", "json", "arrays of texts", "arrays of arrays of composites", "composites"];

const SETUP = `
CREATE TYPE mood AS ENUM ('bad', 'so, so', 'good');
CREATE TYPE pair AS (a text, b text[]);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TABLE "Odd; name" ()`;

describeOnEachPostgres("an archive of rows of every type", (server) => {
  let database: TestDatabase;
  let sessions: Sessions;
  let directory: string;
  let store: FileStore;

  before(async () => {
    database = await server().createDatabase();
    const client = await database.client();
    await client.query(SETUP);
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

  const givesBackEach = async (format: RowFormat, wanted: (title: string) => boolean) => {
    const major = server().major;
    await sessions.withSession(async (session) => {
      await session.query("SET search_path = public");
      for (const [title, { type, values, since = 14 }] of Object.entries(TYPES)) {
        if (major < since || !wanted(title)) continue;
        const name = `${title.replaceAll(" ", "_")}_${format}`;
        await session.query(
          `CREATE TABLE ${name} (id integer, value ${type}); CREATE TABLE ${name}_copy (LIKE ${name})`,
        );
        await session.query(`INSERT INTO ${name} VALUES ${values.map((value, id) => `(${id}, ${value})`).join(", ")}`);
        await session.query("SET search_path = ''");
        assert.deepEqual(
          await roundTrip(session, name, `${name}_copy`, format),
          { rows: values.length, differences: [] },
          title,
        );
        await session.query("SET search_path = public");
      }
    });
  };

  it("gives back each of them", () => givesBackEach("text", () => true));

  it("gives back each of them from CSV", () =>
    givesBackEach("csv", (title) => server().major === 18 || QUOTED_IN_CSV.includes(title)));

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
