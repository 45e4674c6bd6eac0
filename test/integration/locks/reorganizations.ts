/** Statements that move rows into other partitions: each way, in every family of tables. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { withCopyFacts } from "../../../postgres/catalog/copying";
import type { Sessions } from "../../../postgres/connection";
import { repairStatements, restartStatements } from "../../../postgres/reorganize/copy";
import { renderingOf } from "../../../postgres/reorganize/rendering";
import type { Statement } from "../../../postgres/statement";
import { renderStep } from "../../../postgres/statements";
import type { PartitionBound } from "../../../topology/model";
import type { Step } from "../../../topology/steps";
import type { TestDatabase, TestServer } from "../../support/postgres";
import { openForSuite } from "../postgres/opened";
import { expectPredictedTogether } from "../postgres/predicted-locks";
import { emptySchema, range, read, readParentOf } from "../postgres/support";
import { leftovers, reorganizing, stepOf } from "../reorganize/support";

interface Family {
  withDefault?: boolean;
  /** `s.p` references `s.ref`, or `s.refs`, which has partitions; with `both` the two of them. */
  out?: "ref" | "refs" | "both";
  /** `s.p` is a partition itself, and its DEFAULT has partitions. */
  deep?: boolean;
  key?: { type: string; hash?: boolean };
}

interface Move {
  from: string[];
  to: Record<string, PartitionBound>;
}

const SPLIT: Move = { from: ["a"], to: { a: range("0", "50"), b: range("50", "100") } };
const OUT_OF_DEFAULT: Move = { from: ["d"], to: { b: range("100", "120"), d: { default: true } } };
const BUCKETS: Move = {
  from: ["a"],
  to: { a: { modulus: 4, remainder: 0 }, b: { modulus: 4, remainder: 2 } },
};

const FAMILIES: [string, Family, Move][] = [
  ["alone", {}, SPLIT],
  ["beside DEFAULT, with a foreign key out", { withDefault: true, out: "ref" }, SPLIT],
  ["below a table, beside a DEFAULT with partitions", { withDefault: true, deep: true }, SPLIT],
  ["with a foreign key to a table with partitions", { out: "refs" }, SPLIT],
  ["with foreign keys to a table with partitions and to one without", { out: "both" }, SPLIT],
  ["out of DEFAULT, with a foreign key out", { withDefault: true, out: "ref" }, OUT_OF_DEFAULT],
  ["of buckets", { key: { type: "int", hash: true } }, BUCKETS],
  ["of buckets by text", { key: { type: "text", hash: true } }, BUCKETS],
];

async function create(client: Client, { withDefault, out, deep, key }: Family): Promise<void> {
  const { type, hash } = { type: "int", ...key };
  const tables = out === "both" ? ["ref", "refs"] : out ? [out] : [];
  const references = tables.map((name) => `REFERENCES s.${name}`).join(" ");
  const bound = (from: number, to: number, remainder: number) =>
    hash ? `FOR VALUES WITH (MODULUS 2, REMAINDER ${remainder})` : `FOR VALUES FROM (${from}) TO (${to})`;
  await emptySchema(client);
  await client.query(`
    DROP PUBLICATION IF EXISTS published;
    CREATE TABLE s.ref (r int PRIMARY KEY);
    CREATE TABLE s.refs (r int PRIMARY KEY) PARTITION BY RANGE (r);
    CREATE TABLE s.refs_1 PARTITION OF s.refs FOR VALUES FROM (0) TO (5);
    CREATE TABLE s.refs_2 PARTITION OF s.refs DEFAULT;
    INSERT INTO s.ref SELECT generate_series(0, 9); INSERT INTO s.refs SELECT generate_series(0, 9);
    CREATE FUNCTION s.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TABLE s.p (k ${type} PRIMARY KEY, r int NOT NULL ${references})
      PARTITION BY ${hash ? "HASH" : "RANGE"} (k);
    CREATE PUBLICATION published FOR TABLE s.p WITH (publish_via_partition_root);
    CREATE TRIGGER noted BEFORE INSERT ON s.p FOR EACH ROW EXECUTE FUNCTION s.note();
    CREATE TABLE s.a PARTITION OF s.p ${bound(0, 100, 0)};
    CREATE TABLE s.z PARTITION OF s.p ${bound(900, 999, 1)}`);
  if (withDefault)
    await client.query(`CREATE TABLE s.d PARTITION OF s.p DEFAULT${deep ? " PARTITION BY RANGE (k)" : ""}`);
  if (deep) {
    await client.query(`
      CREATE TABLE s.d1 PARTITION OF s.d FOR VALUES FROM (100) TO (200);
      CREATE TABLE s.g (k ${type} NOT NULL, r int NOT NULL) PARTITION BY LIST (r);
      ALTER TABLE s.g ATTACH PARTITION s.p DEFAULT`);
  }
  await client.query(
    `INSERT INTO s.p SELECT i, i % 10 FROM generate_series(0, ${withDefault || hash ? 149 : 99}) i; ANALYZE s.p`,
  );
}

/** One for each part, and one for each statement that stands alone. */
export function transactions(statements: Statement[]): Statement[][] {
  const found: Statement[][] = [];
  for (const statement of statements) {
    const last = found.at(-1);
    const begins = statement.part !== undefined || statement.alone || last === undefined || last.at(-1)?.alone;
    if (begins) found.push([statement]);
    else last.push(statement);
  }
  return found;
}

/** Carries out one transaction after the other, each with the locks that it says. */
export async function comparesParts(database: TestDatabase, parts: Statement[][]): Promise<void> {
  for (const part of parts) await expectPredictedTogether(database, part, parametersOf);
}

/** Parameters of a batch: all blocks. */
function parametersOf(sql: string): unknown[] | undefined {
  if (/ctid .* FOR SHARE ON CONFLICT/.test(sql)) return ["(0,0)", "(1000,0)"];
  return /SET next = \$2/.test(sql) ? [0, 1000] : undefined;
}

export function comparesReorganizations(server: () => TestServer): void {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;

  openForSuite(server, (opened) => {
    ({ database, client, sessions } = opened);
  });

  const compare = (parts: Statement[][]) => comparesParts(database, parts);

  async function made(family: Family, { from, to }: Move, method: "moveInOneTransaction" | "copyAndSwap") {
    await create(client, family);
    const step: Step = await reorganizing(sessions, method, from, to);
    return { step, parent: await readParentOf(sessions) };
  }

  for (const [name, family, move] of FAMILIES) {
    it(`moveInOneTransaction, ${name}`, async () => {
      const { step, parent } = await made(family, move, "moveInOneTransaction");
      await compare(transactions(renderStep(step, parent)));
    });

    it(`copyAndSwap, ${name}`, async () => {
      const { step, parent } = await made(family, move, "copyAndSwap");
      await compare(transactions(renderStep(step, parent)));
      assert.deepEqual(await leftovers(client), []);
    });

    it(`copyAndSwap with rows that are copied again, given up, ${name}`, async () => {
      const { step, parent } = await made(family, move, "copyAndSwap");
      const parts = transactions(renderStep(step, parent));
      const copied = parts.findIndex(([first]) => first?.part?.startsWith("copy "));
      const compared = parts.findIndex(([first]) => first?.part?.startsWith("compare"));
      assert.ok(copied > 0 && compared > copied);
      await compare(parts.slice(0, copied + 1));
      const rendering = renderingOf(step, parent);
      for (const { name: source } of rendering.layout.sources) {
        await client.query(`INSERT INTO s."${rendering.layout.missed.name}" (k) SELECT k FROM s."${source}"`);
      }
      await compare([repairStatements(rendering), restartStatements(rendering)]);
      await compare(parts.slice(copied + 1, compared));
      await compare(transactions(renderStep({ ...step, method: "abandon" }, parent)));
      assert.deepEqual(await leftovers(client), []);
    });
  }

  for (const method of ["moveInOneTransaction", "copyAndSwap"] as const) {
    it(`${method}, between partitions of a partition`, async () => {
      await emptySchema(client);
      await client.query(`
        CREATE TABLE s.ref (r int PRIMARY KEY); INSERT INTO s.ref SELECT generate_series(0, 9);
        CREATE TABLE s.p (t int, k int, r int REFERENCES s.ref, PRIMARY KEY (t, k)) PARTITION BY LIST (t);
        CREATE TABLE s.t PARTITION OF s.p FOR VALUES IN (1) PARTITION BY RANGE (k);
        CREATE TABLE s.c PARTITION OF s.t FOR VALUES FROM (0) TO (100);
        CREATE TABLE s.e PARTITION OF s.t DEFAULT;
        INSERT INTO s.p SELECT 1, i, i % 10 FROM generate_series(0, 149) i`);
      const { children } = await read(sessions);
      const under = children[0];
      const source = under?.level?.children.find(({ name }) => name === "c");
      assert.ok(under && source);
      const targets = [
        { name: "c", bound: range("0", "50") },
        { name: "f", bound: range("50", "100") },
      ];
      const step = { ...stepOf(method, { sources: [source], targets }), under };
      const root = await readParentOf(sessions);
      const facts = await sessions.withSession((session) => withCopyFacts(session, [step], root));
      await compare(transactions(renderStep(step, facts)));
      assert.deepEqual(await leftovers(client), []);
    });
  }
}
