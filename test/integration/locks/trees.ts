/** Locks of steps below the first level, and of subtrees that are made whole. */

import type { Client } from "pg";
import { withCopyFacts } from "../../../postgres/catalog/copying";
import type { Sessions } from "../../../postgres/connection";
import { renderStep } from "../../../postgres/statements";
import type { NewLevel } from "../../../topology/model";
import type { Step } from "../../../topology/steps";
import type { TestDatabase, TestServer } from "../../support/postgres";
import { openForSuite } from "../postgres/opened";
import { expectPredictedLocks } from "../postgres/predicted-locks";
import { createFamily, emptySchema, type Family, oidOf, range, read, readParentOf, step } from "../postgres/support";

const FAMILIES: [string, Family][] = [
  ["alone", {}],
  ["with DEFAULT and foreign keys both ways", { withDefault: true, out: true, in: true }],
  ["with a foreign key on itself", { self: true }],
  ["with foreign keys between partitioned tables", { out: "partitioned", in: true }],
  ["with foreign keys both ways to tables of three levels", { out: "deep", in: "deep" }],
];

/** Two levels below the new partition. */
const INSIDE: NewLevel = {
  strategy: "range",
  keyColumns: ["k"],
  partitions: [
    {
      name: "n1",
      bound: range("20", "25"),
      level: {
        strategy: "hash",
        keyColumns: ["k"],
        partitions: [{ name: "n1a", bound: { modulus: 1, remainder: 0 } }],
      },
    },
    { name: "n2", bound: range("25", "30") },
  ],
};

const NEW = { bound: range("20", "30"), level: INSIDE };

type Under = NonNullable<Step["under"]>;

interface Case {
  prepare?: string[];
  make(client: Client, under: Under): Promise<Step> | Step;
  /** Lines that fill a table. */
  copied?: string[];
}

const MANIFEST = { key: "manifest.json" };

const CASES: Record<string, Case> = {
  "a subtree, attached once": { make: () => step("likeAttach", "n", NEW) },
  "a subtree of a parent that nobody uses": { make: () => step("partitionOf", "n", NEW) },
  "a subtree below a partition": {
    make: (_, under) => step("likeAttach", "n", { ...NEW, under, bound: range("17", "20") }),
  },
  "a leaf below a partition": {
    make: (_, under) => step("likeAttach", "n", { under, bound: range("17", "20") }),
  },
  "an attachment below a partition": {
    prepare: ["CREATE TABLE s.n (LIKE s.p INCLUDING ALL)"],
    make: async (client, under) =>
      step("attach", "n", { under, bound: range("17", "20"), oid: await oidOf(client, "s.n") }),
  },
  "a restored subtree": {
    make: () => step("restore", "n", { ...NEW, manifest: MANIFEST }),
    copied: ["1\t20\t20\tn\n", "1\t25\t25\tn\n"],
  },
  "a restored leaf below a partition": {
    make: (_, under) => step("restore", "n", { under, bound: range("17", "20"), manifest: MANIFEST }),
    copied: ["1\t17\t17\tn\n"],
  },
  "an attachment of a restored subtree": {
    prepare: [
      "CREATE TABLE s.n (LIKE s.p INCLUDING ALL) PARTITION BY RANGE (k)",
      "CREATE TABLE s.n1 PARTITION OF s.n FOR VALUES FROM (20) TO (30)",
      "ALTER TABLE s.n ADD CONSTRAINT pgpartition_bound CHECK (tenant = 1 AND k >= 20 AND k < 30)",
      "COMMENT ON TABLE s.n IS 'pgpartition restores'",
    ],
    make: async (client) =>
      step("attach", "n", { bound: range("20", "30"), oid: await oidOf(client, "s.n"), restored: true }),
  },
  "a drop of an archived subtree": {
    prepare: ["ALTER TABLE s.p DETACH PARTITION s.c1"],
    make: async (client) => step("dropArchived", "c1", { oid: await oidOf(client, "s.c1") }),
  },
  "a detach below a partition": {
    make: async (client, under) => step("detachPlain", "c1a", { under, oid: await oidOf(client, "s.c1a") }),
  },
  "a drop of a whole subtree": {
    prepare: ["ALTER TABLE s.p DETACH PARTITION s.c1"],
    make: async (client) => step("dropTable", "c1", { oid: await oidOf(client, "s.c1") }),
  },
};

export function comparesTrees(server: () => TestServer): void {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;

  openForSuite(server, (opened) => {
    ({ database, client, sessions } = opened);
  });

  async function createTree(family: Family): Promise<void> {
    await emptySchema(client);
    await createFamily(client, { ...family, deep: true });
    await client.query(`DELETE FROM s.p WHERE k >= 15; ALTER TABLE s.c1 DETACH PARTITION s.c1b;
      ALTER TABLE s.c1 ATTACH PARTITION s.c1b FOR VALUES FROM (15) TO (17)`);
    if (family.withDefault) await client.query("CREATE TABLE s.c1d PARTITION OF s.c1 DEFAULT");
  }

  for (const [name, family] of FAMILIES) {
    for (const [title, { prepare = [], make, copied }] of Object.entries(CASES)) {
      it(`${title}, ${name}`, async () => {
        await createTree(family);
        const under = { schema: "s", name: "c1", oid: await oidOf(client, "s.c1") };
        const before = await readParentOf(sessions);
        for (const sql of prepare) await client.query(sql);
        const planned = await make(client, under);
        const gone = prepare.length > 0 && planned.kind === "drop";
        const facts = gone ? before : (await read(sessions, [planned.partition])).parent;
        const complete = await sessions.withSession((session) => withCopyFacts(session, [planned], facts ?? before));
        await expectPredictedLocks(database, renderStep(planned, complete), copied);
      });
    }
  }
}
