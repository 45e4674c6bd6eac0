/** The Parquet copy of a partition: what DuckDB reads from it is what PostgreSQL has, or there is none. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { auditArchive } from "../../../archive/audit";
import { readCatalogue, type StoredPartition } from "../../../archive/catalogue";
import { exportPartition } from "../../../archive/export";
import { readManifest } from "../../../archive/inventory";
import { verifyParquet } from "../../../archive/parquet/copy";
import type { ParquetCopy } from "../../../archive/parquet/manifest";
import type { QueryStore } from "../../../archive/parquet/store";
import { ProofError } from "../../../archive/proofError";
import { StoreError } from "../../../archive/store";
import { FileStore } from "../../../archive/stores/file";
import { type Session, Sessions } from "../../../postgres/connection";
import { duckdb } from "../../support/duckdb";
import { describeOnEachPostgres, describeOnNewest, type TestDatabase, type TestServer } from "../../support/postgres";
import { EVENTS, january, oidOf, originOf, PART_BLOCKS, type Vandal, vandalOfDirectory } from "./support";

interface Case {
  type: string;
  values: string[];
  /** Of the column `c`, in DuckDB and in PostgreSQL: the same text for the same value. */
  duck?: string;
  postgres?: string;
  mapping?: string;
}

const MICROSECONDS = { duck: "epoch_us(c)::varchar", postgres: "(extract(epoch FROM c) * 1000000)::bigint::text" };
const PLAIN = { postgres: "pg_catalog.format('%s', c)" };

/** Every type that has a place in Parquet. A cast of character(n) to text would take its blanks away. */
const TYPES: Record<string, Case> = {
  booleans: { type: "boolean", values: ["true", "false"], postgres: "c::text" },
  "small integers": { type: "smallint", values: ["-32768", "32767", "0"] },
  integers: { type: "integer", values: ["-2147483648", "2147483647"] },
  "large integers": { type: "bigint", values: ["-9223372036854775808", "9223372036854775807"] },
  oids: { type: "oid", values: ["0", "4294967295"] },
  numerics: { type: "numeric(18,4)", values: ["99999999999999.9999", "-0.0001", "0", "1.5"] },
  "numerics of 38 digits": {
    type: "numeric(38,10)",
    values: [
      "repeat('9', 28)::numeric + 0.9999999999",
      "-repeat('9', 28)::numeric - 0.9999999999",
      "0.0000000001",
      "-1",
    ],
  },
  "numerics without a scale": { type: "numeric(20)", values: ["99999999999999999999", "-5"] },
  "numerics as decimals": {
    type: "numeric",
    mapping: "decimal(38,6)",
    values: ["1.5", "1.500000", "-12345678901234567890.123456", "0"],
    postgres: "c::numeric(38,6)::text",
  },
  dates: { type: "date", values: ["'0001-01-01'", "'9999-12-31'", "'1969-12-31'", "'2024-02-29'", "'1582-10-10'"] },
  timestamps: {
    ...MICROSECONDS,
    type: "timestamp",
    values: ["'0001-01-01'", "'9999-12-31 23:59:59.999999'", "'1969-12-31 23:59:59.000001'", "'2024-02-29 12:34:56.7'"],
  },
  instants: {
    ...MICROSECONDS,
    type: "timestamptz",
    values: ["'2026-11-01 01:30 America/New_York'", "'1890-01-01 00:00+00:17:30'", "'9999-12-31 23:59:59.999999+00'"],
  },
  bytes: {
    type: "bytea",
    values: ["'\\x'", "'\\x00ff0a5c09'", "decode(repeat('5c', 100000), 'hex')"],
    duck: "lower(hex(c))",
    postgres: "encode(c, 'hex')",
  },
  // As bytes: what hands texts from DuckDB to JavaScript takes a byte order mark away.
  texts: {
    type: "text",
    duck: "lower(hex(c))",
    postgres: "encode(convert_to(c, 'UTF8'), 'hex')",
    values: [
      "''",
      "E'\\\\N'",
      "E'\\\\.'",
      "E'a\\tb\\nc\\r\\nd\\\\e'",
      "E'\\b\\f\\v\\x01\\x7f'",
      `'"''"'`,
      "'𝕏 é 🐘 日本'",
      "E'\\uFEFFmarked'",
      "repeat('x', 3000000)",
      "E'\\n'",
    ],
  },
  "characters of fixed length": { type: "character(5)", values: ["'ab'", "''"] },
  names: { type: "name", values: ["'Mixed \"Name\"'"] },
  uuids: { type: "uuid", values: ["'018f3c9e-7a1b-7c3d-8e4f-1234567890ab'"] },
  json: { type: "json", values: [`E' { "b" : 1,\\n "a":[null, "\\\\u00e9"] , "a":2}'`] },
  jsonb: { type: "jsonb", values: [`'{"b": 1.10, "a": [null, "\\"\\\\\\\\"]}'`, "'null'"] },
  addresses: { type: "inet", values: ["'10.0.0.1'", "'2001:db8::/32'"] },
  enums: { type: "mood", values: ["'glad'", "'not so glad'"] },
  domains: { type: "price", values: ["12.34"] },
  "domains of domains": { type: "fee", values: ["0.99"] },
  "ranges as texts": { type: "tstzrange", mapping: "string", values: ["'[2026-01-01,2026-02-01)'", "'empty'"] },
  "intervals as texts": { type: "interval", mapping: "string", values: ["'-1 year 2 months -3 days 04:05:06.789'"] },
  "arrays as texts": { type: "text[]", mapping: "string", values: [`ARRAY['', NULL, 'a"b', E'c\\\\d']`] },
  "numerics as texts": {
    type: "numeric",
    mapping: "string",
    values: ["'NaN'", "'Infinity'", "repeat('9', 1000)::numeric"],
  },
  "infinite dates as texts": { type: "date", mapping: "string", values: ["'infinity'", "'4713-01-01 BC'"] },
};

/** So many of few values that a writer would make a dictionary of them. */
const ZEROS = Array.from({ length: 80 }, (_, at) => (at % 2 === 0 ? "0" : "'-0'"));

const FLOATS: Record<string, { type: string; values: string[] }> = {
  floats: {
    type: "double precision",
    values: [
      "'NaN'",
      "'infinity'",
      "'-infinity'",
      "0",
      "'-0'",
      "5e-324",
      "1.7976931348623157e308",
      "0.1",
      "1::float8/3",
      ...ZEROS,
    ],
  },
  reals: {
    type: "real",
    values: ["'NaN'", "'-infinity'", "'-0'", "0", "1::real/3", "1e-45", "3.4028235e38", "16777217", ...ZEROS],
  },
};

/** What Parquet cannot hold. `at`: said by the type, before anything is written, or by the value. */
const REFUSED: Record<string, { type: string; value: string; mapping?: string; at: "type" | "value"; says: RegExp }> = {
  "a numeric without a precision": {
    type: "numeric",
    value: "1",
    at: "type",
    says: /without a precision.*decimal\(38,10\)/,
  },
  "a numeric of 39 digits": { type: "numeric(39,1)", value: "1", at: "type", says: /numeric\(39,1\).*38 digits/ },
  "an interval": { type: "interval", value: "'1 day'", at: "type", says: /interval/ },
  "a time of day": { type: "time", value: "'12:00'", at: "type", says: /time of day/ },
  "a time with a zone": { type: "timetz", value: "'12:00+01'", at: "type", says: /time of day/ },
  "a range": { type: "int4range", value: "'[1,2)'", at: "type", says: /range/ },
  "a multirange": { type: "int4multirange", value: "'{[1,2)}'", at: "type", says: /range/ },
  "an array": { type: "integer[]", value: "'{1}'", at: "type", says: /array/ },
  "a composite": { type: "pair", value: "ROW(1, 2)", at: "type", says: /does not have/ },
  money: { type: "money", value: "'1'", at: "type", says: /currency/ },
  bits: { type: "bit(3)", value: "B'101'", at: "type", says: /bits/ },
  "a point": { type: "point", value: "'(1,2)'", at: "type", says: /does not have/ },
  "a text search vector": { type: "tsvector", value: "'a b'", at: "type", says: /does not have/ },
  "a domain over an array": { type: "list", value: "'{1}'", at: "type", says: /array/ },
  "a type of one's own with a known name": { type: 'own."date"', value: "ROW(1)", at: "type", says: /does not have/ },
  "a numeric that is no number": { type: "numeric(10,2)", value: "'NaN'", at: "value", says: /NaN: .*finite/ },
  "a numeric that does not fit": {
    type: "numeric",
    mapping: "decimal(5,2)",
    value: "1000",
    at: "value",
    says: /1000: .*decimal\(5,2\)/,
  },
  "a numeric with more places": {
    type: "numeric",
    mapping: "decimal(5,2)",
    value: "0.001",
    at: "value",
    says: /0\.001/,
  },
  "an infinite date": { type: "date", value: "'infinity'", at: "value", says: /infinity: .*9999/ },
  "a date before our era": { type: "date", value: "'0044-03-15 BC'", at: "value", says: /BC: .*9999/ },
  "a late date": { type: "date", value: "'10000-01-01'", at: "value", says: /10000-01-01/ },
  "an infinite timestamp": { type: "timestamp", value: "'-infinity'", at: "value", says: /-infinity: / },
  "an infinite instant": { type: "timestamptz", value: "'infinity'", at: "value", says: /infinity: / },
};

let database: TestDatabase;
let sessions: Sessions;
let directory: string;
let store: FileStore;
let vandal: Vandal;

/** A database and a directory for each test. */
function openForEach(server: () => TestServer): void {
  beforeEach(async () => {
    database = await server().createDatabase();
    const { user: username, ...rest } = database.connection;
    sessions = new Sessions({ ...rest, username });
    directory = await mkdtemp(join(tmpdir(), "parquet-test-"));
    store = new FileStore(directory);
    vandal = vandalOfDirectory(directory);
  });
  afterEach(async () => {
    await sessions.close();
    await database.drop();
    await rm(directory, { recursive: true });
  });
}

const BOUND = { from: "1", to: "100" };

/** A partitioned table of one partition with a column `c` for each case, and rows of its values and NULL. */
async function makeTable(session: Session, cases: Record<string, { type: string; values: string[] }>): Promise<void> {
  for (const statement of [
    "CREATE TYPE public.mood AS ENUM ('glad', 'not so glad')",
    "CREATE DOMAIN public.price AS numeric(10,2)",
    "CREATE DOMAIN public.fee AS public.price CHECK (VALUE < 1)",
    "CREATE DOMAIN public.list AS integer[]",
    "CREATE TYPE public.pair AS (a integer, b integer)",
    "CREATE SCHEMA own",
    'CREATE TYPE own."date" AS (a integer)',
  ])
    await session.query(statement);
  const all = Object.values(cases);
  const columns = all.map(({ type }, at) => `c${at} ${type.replace(/^(mood|price|fee|list|pair)$/, "public.$1")}`);
  await session.query(`CREATE TABLE public.things (id integer, ${columns.join(", ")}) PARTITION BY RANGE (id)`);
  await session.query("CREATE TABLE public.things_1 PARTITION OF public.things FOR VALUES FROM (1) TO (100)");
  const rows = Math.max(...all.map(({ values }) => values.length)) + 1;
  for (let row = 0; row < rows; row++) {
    const values = all.map(({ values: of }) => of[row] ?? "NULL");
    await session.query(`INSERT INTO public.things VALUES (${row + 1}, ${values.join(", ")})`);
  }
}

async function exported(session: Session, columns: Record<string, string>) {
  const oid = await oidOf(session, "things_1");
  const origin = await originOf(session, "things");
  const partition = { schema: "public", name: "things_1", oid, bound: BOUND, keyColumns: ["id"] };
  return exportPartition(session, partition, { store, origin, parquet: { store, columns } });
}

const mappingsOf = (cases: Record<string, { mapping?: string }>) =>
  Object.fromEntries(Object.values(cases).flatMap(({ mapping }, at) => (mapping ? [[`c${at}`, mapping]] : [])));

const folder = ({ prefix }: ParquetCopy) => `'${join(directory, prefix)}**/*.parquet'`;

describeOnEachPostgres("a Parquet copy", (server) => {
  openForEach(server);

  it("gives DuckDB what PostgreSQL has, of every type that has a place in Parquet", async () => {
    await sessions.withSession(async (session) => {
      await makeTable(session, TYPES);
      const { manifest } = await exported(session, mappingsOf(TYPES));
      assert.ok(manifest.parquet);
      const all = Object.entries(TYPES);
      const inDuck = all.map(([, { duck = "c::varchar" }], at) => `${duck.replace(/\bc\b/g, `c${at}`)} AS c${at}`);
      const inPostgres = all.map(([, { postgres = PLAIN.postgres }], at) => {
        // format() writes nothing for NULL.
        const name = `c${at}`;
        return `CASE WHEN ${name} IS NOT NULL THEN ${postgres.replace(/\bc\b/g, name)} END AS ${name}`;
      });
      const there = await duckdb(
        `SELECT id, ${inDuck.join(", ")} FROM read_parquet(${folder(manifest.parquet)}) ORDER BY id`,
      );
      const here = await session.query(`SELECT id, ${inPostgres.join(", ")} FROM public.things_1 ORDER BY id`);
      assert.equal(there.length, here.length);
      for (const [at, [name]] of all.entries())
        assert.deepEqual(
          there.map((row) => row[`c${at}`]),
          here.map((row) => row[`c${at}`]),
          name,
        );
    });
  });

  it("keeps every bit of floating point, zeros with a sign among them", async () => {
    await sessions.withSession(async (session) => {
      await makeTable(session, FLOATS);
      const { manifest } = await exported(session, {});
      const there = await duckdb(`SELECT * FROM read_parquet(${folder(manifest.parquet as ParquetCopy)}) ORDER BY id`);
      const here = await session.query<{ c0: string | null; c1: string | null }>(
        "SELECT c0::text, c1::text FROM public.things_1 ORDER BY id",
      );
      for (const [row, { c0, c1 }] of here.entries()) {
        assert.ok(Object.is(there[row]?.c0, c0 === null ? null : Number(c0)), `${there[row]?.c0} for ${c0}`);
        assert.ok(
          Object.is(there[row]?.c1, c1 === null ? null : Math.fround(Number(c1))),
          `${there[row]?.c1} for ${c1}`,
        );
      }
    });
  });

  describe("of a partition in several parts", () => {
    let parquet: ParquetCopy;

    const run = async (session: Session) => {
      const options = {
        store,
        origin: await originOf(session),
        partBlocks: PART_BLOCKS,
        parquet: { store, columns: {} },
      };
      return exportPartition(session, await january(session), options);
    };
    const rows = async () => Number((await duckdb(`SELECT count(*) AS n FROM read_parquet(${folder(parquet)})`))[0]?.n);
    const ofPartition = () =>
      sessions.withSession(async (session) => {
        const [row] = await session.query<{ n: number }>("SELECT count(*)::integer AS n FROM public.events_2024_01");
        return row?.n;
      });

    beforeEach(async () => {
      await (await database.client()).query(EVENTS);
      parquet = (await sessions.withSession(run)).manifest.parquet as ParquetCopy;
    });

    it("is one table for who reads the folder, with the partition as a column", async () => {
      assert.ok(parquet.files.length > 2);
      const [row] = await duckdb(
        `SELECT count(*) AS n, min(pg_partition) AS least, max(pg_partition) AS greatest FROM read_parquet(${folder(parquet)}, hive_partitioning = true)`,
      );
      assert.deepEqual(row, {
        n: BigInt((await ofPartition()) ?? 0),
        least: "events_2024_01",
        greatest: "events_2024_01",
      });
    });

    it("is in the manifest, and is not written again when nothing has changed", async () => {
      await sessions.withSession(async (session) => {
        const before = await Promise.all(parquet.files.map(({ key }) => vandal.read(key)));
        const { manifest, stored } = await run(session);
        assert.equal(manifest.generation, 1);
        assert.deepEqual((await readManifest(store, stored)).parquet, parquet);
        assert.deepEqual(await Promise.all(parquet.files.map(({ key }) => vandal.read(key))), before);
      });
    });

    it("follows rows that have changed, without any of them twice", async () => {
      await sessions.withSession(async (session) => {
        await session.query("UPDATE public.events_2024_01 SET payload = 'changed' WHERE id < 50");
        parquet = (await run(session)).manifest.parquet as ParquetCopy;
        assert.equal(await rows(), await ofPartition());
        const changed = await duckdb(
          `SELECT count(*) AS n FROM read_parquet(${folder(parquet)}) WHERE payload = 'changed'`,
        );
        assert.deepEqual(changed, [{ n: 50n }]);
      });
    });

    it("has no file with rows of parts that are no more", async () => {
      await sessions.withSession(async (session) => {
        const files = parquet.files.length;
        await session.query("DELETE FROM public.events_2024_01 WHERE id > 10");
        await session.query("VACUUM FULL public.events_2024_01");
        parquet = (await run(session)).manifest.parquet as ParquetCopy;
        assert.ok(parquet.files.length < files);
        assert.equal(await rows(), 11);
      });
    });

    async function audited(queries: QueryStore = store) {
      const [stored] = (await readCatalogue(store)).partitions;
      const result = await auditArchive(store, stored as StoredPartition, { queries });
      return { grade: result?.grade, findings: result?.findings ?? [] };
    }

    it("is not graded by what is in another store", async () => {
      const { grade, findings } = await audited(new FileStore(`${directory}-other`));
      assert.equal(grade, "UNKNOWN");
      assert.match(findings[0]?.reason ?? "", /archive\.parquet\.store/);
    });

    it("is found to be damaged, and written again", async () => {
      const [file] = parquet.files;
      assert.ok(file);
      const whole = await vandal.read(file.key);
      const flipped = Buffer.from(whole);
      flipped.writeUInt8(flipped.readUInt8(200) ^ 1, 200);
      const other = await vandal.read(parquet.files[1]?.key as string);
      assert.deepEqual(await audited(), { grade: "OK", findings: [] });
      for (const damaged of [flipped, whole.subarray(0, -100), Buffer.alloc(0), other]) {
        await vandal.put(file.key, damaged);
        await assert.rejects(
          verifyParquet(store, parquet),
          (error) => (error instanceof ProofError || error instanceof StoreError) && error.failure === "corrupt",
        );
        const { grade, findings } = await audited();
        assert.equal(grade, "CORRUPT");
        assert.match(findings[0]?.reason ?? "", /0-0\.parquet/);
        parquet = (await sessions.withSession(run)).manifest.parquet as ParquetCopy;
        await verifyParquet(store, parquet);
        assert.equal(await rows(), await ofPartition());
      }
      await vandal.remove(file.key);
      await assert.rejects(
        verifyParquet(store, parquet),
        (error) => error instanceof ProofError && error.failure === "missing",
      );
      const { manifest } = await sessions.withSession(run);
      await verifyParquet(store, manifest.parquet as ParquetCopy);
    });
  });
});

// What is refused is told by pure code, from what the catalog says of types in the same way on every version.
describeOnNewest("a Parquet copy", (server) => {
  openForEach(server);

  for (const [what, { type, value, mapping, at, says }] of Object.entries(REFUSED))
    it(`is refused for ${what}, and the rows stay where they are`, async () => {
      await sessions.withSession(async (session) => {
        await makeTable(session, { one: { type, values: [value] } });
        await assert.rejects(exported(session, mapping === undefined ? {} : { c0: mapping }), (error: Error) => {
          assert.match(error.message, says);
          assert.match(error.message, /column c0/);
          return true;
        });
        const keys = await readdir(directory, { recursive: true });
        assert.equal(
          keys.some((key) => key.endsWith("manifest.json")),
          false,
        );
        if (at === "type") assert.deepEqual(keys, []);
        const again = await exported(session, { c0: "omit" });
        assert.deepEqual(Object.keys(again.manifest.parquet?.files[0]?.columns ?? {}), ["id"]);
      });
    });

  it("refuses names that Athena cannot tell apart, and columns that are not there", async () => {
    await sessions.withSession(async (session) => {
      await session.query(
        'CREATE TABLE public.things (id integer, "ID" text, pg_partition text) PARTITION BY RANGE (id)',
      );
      await session.query("CREATE TABLE public.things_1 PARTITION OF public.things FOR VALUES FROM (1) TO (100)");
      await assert.rejects(exported(session, { payload: "string" }), (error: Error) => {
        for (const says of [/column ID has.*the name of id/, /column pg_partition has/, /column payload is no column/])
          assert.match(error.message, says);
        return true;
      });
    });
  });
});
