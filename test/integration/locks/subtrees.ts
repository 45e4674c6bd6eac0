/** Statements that move rows between partitions that are partitioned themselves. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import { repairStatements, restartStatements } from "../../../postgres/reorganize/copy";
import { leavesOf } from "../../../postgres/reorganize/names";
import { renderingOf } from "../../../postgres/reorganize/rendering";
import type { Statement } from "../../../postgres/statement";
import { renderStep } from "../../../postgres/statements";
import type { NewLevel, ReorganizationTarget } from "../../../topology/model";
import { sourceOf } from "../../../topology/plan/subtrees";
import type { ReorganizationMethod } from "../../../topology/steps";
import type { TestDatabase, TestServer } from "../../support/postgres";
import { openForSuite } from "../postgres/opened";
import { emptySchema, range, read, readParentOf } from "../postgres/support";
import { leftovers, stepOf } from "../reorganize/support";
import { comparesParts, transactions } from "./reorganizations";

const buckets = (table: string): NewLevel => ({
  strategy: "hash",
  keyColumns: ["i"],
  partitions: [0, 1].map((remainder) => ({ name: `${table}_h${remainder}`, bound: { modulus: 2, remainder } })),
});

const lists = (table: string): NewLevel => ({
  strategy: "list",
  keyColumns: ["t"],
  partitions: [
    { name: `${table}_1`, bound: { values: ["1"] }, level: buckets(`${table}_1`) },
    { name: `${table}_rest`, bound: { default: true }, comment: "the rest" },
  ],
});

/** Where `s.a` and what is below it hands its rows, and names, on. */
const CHANGES: [string, ReorganizationTarget[]][] = [
  [
    "split",
    [
      { name: "a", bound: range("0", "50"), level: buckets("a") },
      { name: "b", bound: range("50", "100"), level: lists("b") },
    ],
  ],
  ["made whole", [{ name: "a", bound: range("0", "100") }]],
];

/** `out`: what `s.p` references. */
const FAMILIES: [string, { out: string[]; withDefault?: boolean; index?: boolean }][] = [
  ["alone", { out: [] }],
  ["beside DEFAULT, with a foreign key out", { out: ["ref"], withDefault: true }],
  ["with a foreign key to a table with partitions", { out: ["refs"], index: true }],
  ["with foreign keys to a table with partitions and to one without", { out: ["ref", "refs"] }],
];

async function create(client: Client, { out, withDefault, index }: (typeof FAMILIES)[number][1]): Promise<void> {
  await emptySchema(client);
  await client.query(`
    CREATE TABLE s.ref (r int PRIMARY KEY);
    CREATE TABLE s.refs (r int PRIMARY KEY) PARTITION BY RANGE (r);
    CREATE TABLE s.refs_1 PARTITION OF s.refs DEFAULT;
    INSERT INTO s.ref SELECT generate_series(0, 9); INSERT INTO s.refs SELECT generate_series(0, 9);
    CREATE FUNCTION s.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TABLE s.p (k int, i int, t int, j int, r int NOT NULL ${out.map((name) => `REFERENCES s.${name}`).join(" ")},
      PRIMARY KEY (k, i, t, j)) PARTITION BY RANGE (k);
    CREATE TRIGGER noted BEFORE INSERT ON s.p FOR EACH ROW EXECUTE FUNCTION s.note();
    CREATE TABLE s.a PARTITION OF s.p FOR VALUES FROM (0) TO (100) PARTITION BY HASH (j);
    CREATE TABLE s.a_h0 PARTITION OF s.a FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE s.a_h1 PARTITION OF s.a FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY LIST (j);
    CREATE TABLE s.a_h1_all PARTITION OF s.a_h1 DEFAULT;
    CREATE TABLE s.z PARTITION OF s.p FOR VALUES FROM (900) TO (999);
    ${withDefault ? "CREATE TABLE s.d PARTITION OF s.p DEFAULT;" : ""}
    ${index ? "ALTER TABLE s.p REPLICA IDENTITY USING INDEX p_pkey;" : ""}
    INSERT INTO s.p SELECT k, k % 9, k % 3, k % 11, k % 10 FROM generate_series(0, 99) k;
    ANALYZE s.p`);
}

export function comparesSubtrees(server: () => TestServer): void {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;

  openForSuite(server, (opened) => {
    ({ database, client, sessions } = opened);
  });

  const compare = (parts: Statement[][]) => comparesParts(database, parts);

  async function made(method: ReorganizationMethod, targets: ReorganizationTarget[]) {
    const { children } = await read(sessions);
    const source = children.find(({ name }) => name === "a");
    assert.ok(source);
    return { step: stepOf(method, { sources: [sourceOf(source)], targets }), parent: await readParentOf(sessions) };
  }

  for (const [family, table] of FAMILIES) {
    for (const [change, targets] of CHANGES) {
      for (const method of ["moveInOneTransaction", "copyAndSwap"] as const) {
        it(`${method}, ${change}, ${family}`, async () => {
          await create(client, table);
          const { step, parent } = await made(method, targets);
          await compare(transactions(renderStep(step, parent)));
          assert.deepEqual(await leftovers(client), []);
        });
      }
    }

    it(`copyAndSwap with rows that are copied again, given up, ${family}`, async () => {
      await create(client, table);
      const { step, parent } = await made("copyAndSwap", CHANGES.flatMap(([, targets]) => targets).slice(0, 2));
      const parts = transactions(renderStep(step, parent));
      const copied = parts.findLastIndex(([first]) => first?.part?.startsWith("copy "));
      const compared = parts.findIndex(([first]) => first?.part?.startsWith("compare"));
      assert.ok(copied > 0 && compared > copied);
      await compare(parts.slice(0, copied + 1));
      const rendering = renderingOf(step, parent);
      for (const { name } of rendering.layout.sources.flatMap(leavesOf))
        await client.query(
          `INSERT INTO s."${rendering.layout.missed.name}" (k, i, t, j) SELECT k, i, t, j FROM s."${name}"`,
        );
      await compare([repairStatements(rendering), restartStatements(rendering)]);
      await compare(parts.slice(copied + 1, compared));
      await compare(transactions(renderStep({ ...step, method: "abandon" }, parent)));
      assert.deepEqual(await leftovers(client), []);
    });
  }
}
