/** Trees with rows, declarations of indexes on them, and what the catalog says afterwards. */
import type { Client } from "pg";
import { findParent } from "../../../postgres/catalog/parent";
import { Sessions } from "../../../postgres/connection";
import { applyIndex, type IndexEvent, type IndexReport } from "../../../postgres/index/apply";
import { readIndexTree } from "../../../postgres/index/read";
import { renderIndexStep } from "../../../postgres/index/render";
import { DEFAULT_LADDER } from "../../../postgres/ladder";
import type { IndexDeclaration, IndexPlan } from "../../../topology/index/model";
import { planIndex } from "../../../topology/index/plan";
import type { Connection } from "../../support/postgres";

export function declaration(over: Partial<IndexDeclaration> = {}): IndexDeclaration {
  return {
    schema: "s",
    table: "p",
    name: "p_a_idx",
    columns: [{ column: "a" }],
    unique: false,
    method: "btree",
    include: [],
    nullsNotDistinct: false,
    storage: {},
    ...over,
  };
}

/** RANGE by id: two leaves with rows, and a LIST partition with two leaves and an own DEFAULT below. */
export async function createTree(client: Client, rows = 300): Promise<void> {
  await client.query(`
    DROP SCHEMA IF EXISTS s CASCADE; CREATE SCHEMA s;
    CREATE TABLE s.p (id int NOT NULL, kind text NOT NULL, a int, b text, c timestamptz DEFAULT now()) PARTITION BY RANGE (id);
    CREATE TABLE s.p1 PARTITION OF s.p FOR VALUES FROM (0) TO (100);
    CREATE TABLE s.p2 (extra int, b text, id int NOT NULL, a int, kind text NOT NULL, c timestamptz DEFAULT now());
    ALTER TABLE s.p2 DROP COLUMN extra;
    ALTER TABLE s.p ATTACH PARTITION s.p2 FOR VALUES FROM (100) TO (200);
    CREATE TABLE s.p3 PARTITION OF s.p FOR VALUES FROM (200) TO (MAXVALUE) PARTITION BY LIST (kind);
    CREATE TABLE s.p3_x PARTITION OF s.p3 FOR VALUES IN ('x');
    CREATE TABLE s.p3_d PARTITION OF s.p3 DEFAULT;
    INSERT INTO s.p SELECT i, CASE WHEN i % 2 = 0 THEN 'x' ELSE 'y' END, i, 'b' || i FROM generate_series(0, ${rows - 1}) i`);
}

export function sessionsOn({ user, ...connection }: Connection): Sessions {
  return new Sessions({ ...connection, username: user }, {});
}

export const LADDER = { ...DEFAULT_LADDER, budget: 20_000 };

export interface Built extends IndexReport {
  events: IndexEvent[];
}

/** Does what `up` does. */
export async function build(
  connection: Connection,
  declared: IndexDeclaration,
  options: { recorded?: number; ladder?: typeof LADDER; onEvent?(event: IndexEvent): void } = {},
): Promise<Built> {
  const sessions = sessionsOn(connection);
  const events: IndexEvent[] = [];
  try {
    return await sessions.withSession(async (session) => {
      const table = await findParent(session, { schema: declared.schema, name: declared.table });
      if (table === undefined) throw new Error("no such table");
      const onEvent = (event: IndexEvent) => {
        events.push(event);
        options.onEvent?.(event);
      };
      const run = { sessions, session, ladder: options.ladder ?? LADDER, onEvent };
      return { ...(await applyIndex(run, declared, table, options.recorded)), events };
    });
  } finally {
    await sessions.close();
  }
}

/** Does what a preview does. */
export async function planned(
  connection: Connection,
  declared: IndexDeclaration,
  recorded?: number,
): Promise<IndexPlan & { sql: string[] }> {
  const sessions = sessionsOn(connection);
  try {
    return await sessions.withSession(async (session) => {
      const table = await findParent(session, { schema: declared.schema, name: declared.table });
      const plan = planIndex(declared, await readIndexTree(session, declared, table ?? 0), recorded);
      return { ...plan, sql: plan.steps.flatMap((step) => renderIndexStep(step, declared).map(({ sql }) => sql)) };
    });
  } finally {
    await sessions.close();
  }
}

/** `table: index -> index of the level above`, with `INVALID` where it is. */
export async function indexesOf(client: Client, schema = "s"): Promise<string[]> {
  const { rows } = await client.query<{ line: string }>(
    `SELECT t.relname || ': ' || x.relname || coalesce(' -> ' || u.relname, '') || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END AS line
     FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
     LEFT JOIN pg_inherits h ON h.inhrelid = x.oid LEFT JOIN pg_class u ON u.oid = h.inhparent
     WHERE t.relnamespace = $1::regnamespace ORDER BY t.relname COLLATE "C", x.relname COLLATE "C"`,
    [schema],
  );
  return rows.map(({ line }) => line);
}
