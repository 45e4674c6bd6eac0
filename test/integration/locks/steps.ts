/** Statements about partitions: every method in every family of tables. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import type { LockingStatement } from "../../../postgres/locks";
import type { Statement } from "../../../postgres/statement";
import { renderStep } from "../../../postgres/statements";
import type { Step, StepMethod } from "../../../topology/steps";
import type { TestDatabase, TestServer } from "../../support/postgres";
import { openForSuite } from "../postgres/opened";
import { expectPredictedLocks, expectPredictedWaits } from "../postgres/predicted-locks";
import { createFamily, emptySchema, type Family, leavePending, oidOf, range, read, step } from "../postgres/support";

const FAMILIES: [string, Family][] = [
  ["alone", {}],
  ["with DEFAULT", { withDefault: true }],
  ["with a foreign key out", { out: true }],
  ["with a foreign key in", { in: true }],
  ["with a foreign key on itself", { self: true }],
  ["with DEFAULT and foreign keys both ways", { withDefault: true, out: true, in: true }],
  ["with three levels", { deep: true }],
  ["with three levels, DEFAULT and foreign keys both ways", { deep: true, withDefault: true, out: true, in: true }],
  ["with foreign keys out to a partitioned table and to an ordinary one", { out: "partitioned", also: true }],
  [
    "with three levels and foreign keys between partitioned tables",
    { deep: true, self: true, out: "partitioned", in: true },
  ],
  ["with three levels and foreign keys both ways to tables of three levels", { deep: true, out: "deep", in: "deep" }],
];

interface Case {
  /** Statements before the step. */
  prepare?: string[];
  make(client: Client, database: TestDatabase): Promise<Step>;
  only?(family: Family): boolean;
  /** First and last major version that have such a step; default: all have it. */
  from?: number;
  until?: number;
  /** The parent is read before these statements, as by the plan that they stand for. */
  meanwhile?: string[];
  /** Lines that fill a table. */
  copied?: string[];
}

const NEW = range("20", "30");

const aboutC1 =
  (method: StepMethod, more: Partial<Step> = {}) =>
  async (client: Client) =>
    step(method, "c1", { oid: await oidOf(client, "s.c1"), ...more });

/** Everything that a new child is given because its parent has it. */
const ATTRIBUTES = [
  "ALTER TABLE s.p ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, ALTER COLUMN note SET STATISTICS 7",
  "CREATE POLICY own ON s.p USING (tenant > 0)",
  "GRANT SELECT, UPDATE (note) ON s.p TO pg_signal_backend",
  "ALTER TABLE s.p REPLICA IDENTITY FULL",
  "CREATE STATISTICS s.p_note ON r, note FROM s.p",
  "COMMENT ON COLUMN s.p.note IS 'n'",
  "CREATE INDEX p_lower ON s.p (lower(note))",
  "ALTER INDEX s.p_lower ALTER COLUMN 1 SET STATISTICS 9",
  "ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO pg_read_all_stats",
  "GRANT ALL ON SCHEMA s TO pg_monitor",
  "ALTER TABLE s.p OWNER TO pg_monitor",
];

const INDEX_IDENTITY = ["ALTER TABLE s.p REPLICA IDENTITY USING INDEX p_pkey"];

const newChild = (method: StepMethod): Case[] => [
  ...[[], ATTRIBUTES, INDEX_IDENTITY].map((prepare) => ({
    prepare,
    make: async () => step(method, "c2", { bound: NEW }),
  })),
  {
    prepare: ["ALTER TABLE s.g ADD COLUMN twice int GENERATED ALWAYS AS (k * 2) STORED"],
    make: async () => step(method, "c2", { bound: NEW, generated: { twice: "k * 3" } }),
    from: 16,
  },
];

/** Carried out by code of their own, whose tests use the same comparison. */
type Elsewhere = "moveInOneTransaction" | "copyAndSwap" | "abandon";

/** A detached table with the foreign keys that PostgreSQL 14 drops, as its detach has put them back; 15 leaves them there. */
const KEPT = [
  "ALTER TABLE s.p DETACH PARTITION s.c1",
  `DO $$ DECLARE leaf regclass; BEGIN
     FOR leaf IN SELECT c.oid FROM pg_class c WHERE c.relkind = 'r' AND c.relname ~ '^c1'
       AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.confrelid = 's.ref'::regclass) LOOP
       EXECUTE format('ALTER TABLE %s ADD CONSTRAINT fk FOREIGN KEY (r) REFERENCES s.ref NOT VALID', leaf);
     END LOOP;
   END $$`,
];

/** The same with the keys known to hold. */
const KEPT_VALID = [
  ...KEPT,
  `DO $$ DECLARE leaf regclass; BEGIN
     FOR leaf IN SELECT conrelid FROM pg_constraint WHERE contype = 'f' AND NOT convalidated AND conparentid = 0 LOOP
       EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT fk', leaf);
     END LOOP;
   END $$`,
];

/**
 * A foreign key of the partition's own, to a partitioned table. A detach on 14 makes keys of the rows that stand for the
 * partitions of that table (where that has three levels it fails, 2BP01).
 */
const OWN_KEY = [
  "CREATE TABLE s.own (r int PRIMARY KEY) PARTITION BY RANGE (r)",
  "CREATE TABLE s.own1 PARTITION OF s.own FOR VALUES FROM (0) TO (100)",
  "CREATE TABLE s.own2 PARTITION OF s.own FOR VALUES FROM (100) TO (200)",
  "INSERT INTO s.own SELECT DISTINCT r FROM s.c1 WHERE r IS NOT NULL",
  "ALTER TABLE s.c1 ADD CONSTRAINT own_key FOREIGN KEY (r) REFERENCES s.own",
];

/** The tables below `s.c1` that hold rows. */
const LEAVES_OF_C1 = ["c1a", "c1b"].map((name) => ({ schema: "s", name }));

/** A method without an entry does not compile. */
/** Stands in for the extension of RDS: reads the rows of the query, and writes nothing anywhere. */
const EXTENSION = `CREATE SCHEMA IF NOT EXISTS aws_s3;
  CREATE OR REPLACE FUNCTION aws_s3.query_export_to_s3(query text, bucket text, file_path text, region text, options text,
    kms_key text DEFAULT NULL, OUT rows_uploaded bigint, OUT files_uploaded bigint, OUT bytes_uploaded bigint)
  LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE format('SELECT count(*), 1, 0 FROM (%s) AS q', query) INTO rows_uploaded, files_uploaded, bytes_uploaded;
  END $$`;

const CASES: Record<Exclude<StepMethod, Elsewhere | "detachConcurrently">, Case[]> = {
  partitionOf: newChild("partitionOf"),
  likeAttach: newChild("likeAttach"),
  attach: [
    {
      prepare: ["CREATE TABLE s.c2 (LIKE s.p INCLUDING ALL)", "INSERT INTO s.c2 VALUES (1, 25, 5)"],
      make: async (client) => step("attach", "c2", { bound: NEW, oid: await oidOf(client, "s.c2") }),
    },
    {
      prepare: ["CREATE TABLE s.c2 (LIKE s.p INCLUDING ALL)", "INSERT INTO s.c2 VALUES (1, 25, 5)"],
      make: async (client) => step("attach", "c2", { bound: NEW, oid: await oidOf(client, "s.c2"), restored: true }),
    },
    {
      prepare: ["ALTER TABLE s.p DETACH PARTITION s.c1"],
      make: aboutC1("attach", { bound: range("10", "20") }),
    },
    {
      prepare: [...OWN_KEY, "ALTER TABLE s.p DETACH PARTITION s.c1"],
      make: aboutC1("attach", { bound: range("10", "20") }),
    },
    {
      prepare: KEPT_VALID,
      make: aboutC1("attach", { bound: range("10", "20") }),
      only: ({ out }) => typeof out === "string",
    },
    {
      prepare: [
        "CREATE TABLE s.c2 (LIKE s.p INCLUDING ALL)",
        "ALTER TABLE s.c2 ADD CONSTRAINT pgpartition_bound CHECK (tenant = 1 AND k >= 20 AND k < 30)",
        "COMMENT ON TABLE s.c2 IS 'pgpartition restores'",
      ],
      make: async (client) => step("attach", "c2", { bound: NEW, oid: await oidOf(client, "s.c2"), restored: true }),
    },
  ],
  detachPlain: [
    { make: aboutC1("detachPlain") },
    { make: aboutC1("detachPlain", { keepsForeignKeys: true }) },
    { prepare: OWN_KEY, make: aboutC1("detachPlain", { keepsForeignKeys: true }) },
  ],
  detachAttach: [
    { prepare: ["DELETE FROM s.p WHERE k >= 19"], make: aboutC1("detachAttach", { bound: range("10", "25") }) },
    {
      prepare: ["ALTER TABLE s.c1 ADD CONSTRAINT pgpartition_bound CHECK (tenant = 1 AND k >= 10 AND k < 25)"],
      make: aboutC1("detachAttach", { bound: range("10", "25"), proven: true }),
    },
    {
      prepare: ["ALTER TABLE s.c1 ADD CONSTRAINT c1_k_check CHECK (k IS NOT NULL AND k < 20)"],
      make: aboutC1("detachAttach", { bound: range("10", "25"), formerChecks: ["c1_k_check"] }),
    },
  ],
  finalize: [
    {
      make: async (client, database) => {
        await leavePending(database, "c1");
        return aboutC1("finalize", { keepsForeignKeys: true })(client);
      },
      only: ({ withDefault }) => !withDefault,
    },
    {
      prepare: OWN_KEY,
      make: async (client, database) => {
        await leavePending(database, "c1");
        return aboutC1("finalize", { keepsForeignKeys: true })(client);
      },
      only: ({ withDefault }) => !withDefault,
    },
  ],
  validate: [{ prepare: KEPT, make: aboutC1("validate"), only: ({ out }) => typeof out === "string", until: 14 }],
  guard: [
    { make: async () => step("guard", "d", { excludes: [NEW] }), only: ({ withDefault }) => withDefault === true },
  ],
  unguard: [
    {
      prepare: ["ALTER TABLE s.d ADD CONSTRAINT pgpartition_guard CHECK (k > 3)"],
      make: async () => step("unguard", "d"),
      only: ({ withDefault }) => withDefault === true,
    },
  ],
  prove: [{ make: aboutC1("prove", { bound: range("10", "25") }) }],
  unprove: [
    {
      prepare: ["ALTER TABLE s.c1 ADD CONSTRAINT pgpartition_bound CHECK (k > 3)"],
      make: aboutC1("unprove"),
    },
  ],
  rename: [
    {
      prepare: ["CREATE SCHEMA t"],
      make: aboutC1("rename", { partition: "renamed", schema: "t", current: { schema: "s", name: "c1" } }),
    },
  ],
  adjust: [
    {
      prepare: [
        "CREATE FUNCTION s.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER noted BEFORE INSERT ON s.p FOR EACH ROW EXECUTE FUNCTION s.note()",
      ],
      make: aboutC1("adjust", {
        differences: [
          { attribute: "columnComments", column: "note", expected: "n" },
          { attribute: "rowSecurity", expected: "enabled", found: "disabled" },
          { attribute: "grants", name: "SELECT", expected: "granted" },
          { attribute: "triggers", name: "noted", expected: "always", found: "enabled" },
        ],
      }),
    },
    {
      prepare: ["CREATE INDEX c1_note ON s.c1 (lower(note))"],
      make: aboutC1("adjust", {
        differences: [
          { attribute: "indexStatisticsTargets", name: "c1_note", column: "1", expected: "7" },
          { attribute: "persistence", expected: "logged", found: "unlogged" },
        ],
      }),
      only: ({ deep }) => !deep,
    },
  ],
  export: [
    { make: aboutC1("export", { bound: range("10", "20") }), only: ({ deep }) => !deep },
    { make: aboutC1("export", { bound: range("10", "20"), tables: LEAVES_OF_C1 }), only: ({ deep }) => deep === true },
    {
      prepare: [EXTENSION],
      make: aboutC1("export", {
        bound: range("10", "20"),
        serverSide: { extension: "aws_s3", bucket: "archive", prefix: "p", region: "eu-central-1" },
      }),
      only: ({ deep }) => !deep,
    },
  ],
  restore: [
    {
      make: async () => step("restore", "c2", { bound: NEW, manifest: { key: "manifest.json" } }),
      copied: ["1\t20\t20\tn\n"],
    },
    {
      prepare: ["ALTER TABLE s.p ADD CONSTRAINT late CHECK (k > 1000) NOT VALID"],
      make: async () => step("restore", "c2", { bound: NEW, manifest: { key: "manifest.json" } }),
      copied: ["1\t20\t20\tn\n"],
    },
  ],
  dropArchived: [
    { make: aboutC1("dropArchived"), meanwhile: ["ALTER TABLE s.p DETACH PARTITION s.c1"] },
    { prepare: KEPT, make: aboutC1("dropArchived"), only: ({ out }) => typeof out === "string" },
  ],
  dropTable: [
    { make: aboutC1("dropTable"), meanwhile: ["ALTER TABLE s.p DETACH PARTITION s.c1"] },
    { prepare: OWN_KEY, make: aboutC1("dropTable"), meanwhile: ["ALTER TABLE s.p DETACH PARTITION s.c1"] },
    { prepare: KEPT, make: aboutC1("dropTable"), only: ({ out }) => typeof out === "string" },
  ],
};

/** How each kind of statement is known in SQL; a kind without an entry does not compile, one that never came fails. */
const KINDS: Record<LockingStatement, RegExp> = {
  partitionOf: /PARTITION OF/,
  like: /\(LIKE /,
  attach: /ATTACH PARTITION/,
  detach: /DETACH PARTITION \S+$/,
  detachConcurrently: /CONCURRENTLY$/,
  finalize: /FINALIZE$/,
  addGuard: /ADD CONSTRAINT pgpartition_guard/,
  validateGuard: /VALIDATE CONSTRAINT/,
  alterChild: /ROW LEVEL SECURITY/,
  maintainChild: /COMMENT ON COLUMN/,
  triggerOnChild: /ENABLE ALWAYS TRIGGER/,
  grantOnChild: /^GRANT/,
  statisticsOfChild: /ALTER INDEX/,
  rewriteChild: /SET LOGGED/,
  addForeignKey: /ADD CONSTRAINT .* FOREIGN KEY .* NOT VALID$/,
  validateForeignKey: /VALIDATE CONSTRAINT "(?!pgpartition)/,
  dropForeignKey: /DROP CONSTRAINT IF EXISTS "/,
  dropTable: /^DROP TABLE/,
};

export function comparesSteps(server: () => TestServer): void {
  const seen: string[] = [];
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;

  openForSuite(server, (opened) => {
    ({ database, client, sessions } = opened);
  });

  async function rebuild(family: Family): Promise<void> {
    await client.query("DROP SCHEMA IF EXISTS t CASCADE");
    await emptySchema(client);
    await createFamily(client, family);
  }

  async function render({ prepare = [], make, meanwhile = [] }: Case): Promise<Statement[]> {
    for (const sql of prepare) await client.query(sql);
    const planned = await make(client, database);
    const { parent } = await read(sessions, [planned.partition]);
    assert.ok(parent);
    const statements = renderStep(planned, parent);
    for (const sql of meanwhile) await client.query(sql);
    assert.ok(statements.length > 0);
    seen.push(...statements.map(({ sql }) => sql));
    return statements;
  }

  for (const [name, family] of FAMILIES) {
    for (const [method, cases] of Object.entries(CASES)) {
      const possible = cases.filter(({ only }) => only === undefined || only(family));
      if (possible.length === 0) continue;
      it(`${method}, ${name}`, async () => {
        const { major } = server();
        for (const one of possible.filter(({ from = 0, until = major }) => from <= major && major <= until)) {
          await rebuild(family);
          await expectPredictedLocks(database, await render(one), one.copied);
        }
      });
    }
  }

  for (const [name, family] of FAMILIES.filter(([, { withDefault }]) => !withDefault).slice(-2)) {
    it(`detachConcurrently, ${name}: who is waited for`, async () => {
      await rebuild(family);
      const [statement] = await render({ make: aboutC1("detachConcurrently") });
      assert.ok(statement);
      await expectPredictedWaits(database, statement, () => rebuild(family));
    });
  }

  it("are compared for every kind of statement", () => {
    for (const [kind, pattern] of Object.entries(KINDS))
      assert.ok(
        seen.some((sql) => pattern.test(sql)),
        kind,
      );
  });
}
