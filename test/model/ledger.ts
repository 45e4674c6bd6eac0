/**
 * What became of every row. The model keeps its own copy of all rows and has PostgreSQL say, for each of them, which of
 * the declared partitions it belongs to.
 */
import type { Client } from "pg";
import { quoteLiteral } from "../../postgres/identifiers";
import { boundOf, levelKey, partitionKey } from "../../topology/level";
import type { DesiredPartition, DesiredSet, PartitionBound, Tier } from "../../topology/model";
import type { NewRow } from "./generate";
import { type Spec, valuesOf } from "./spec";
import { keyColumns } from "./table";

/** Where a row is: the leaf, or the table that is no partition with all that is below it. */
export type Whereabouts = { state: "attached" | "loose"; table: string } | { state: "gone" };

/** Where a row should be: a leaf and the tier of it (or of what it is part of); undefined: nothing is declared for it. */
export interface Belonging {
  name: string;
  tier: Tier;
}

export class Ledger {
  private lastId = 0;

  constructor(
    private readonly client: Client,
    private readonly schema: string,
    private readonly own: string,
    private readonly spec: Spec,
  ) {}

  /**
   * Inserts rows through the parent. Those that are refused are forgotten; gives back what the declaration says of them.
   */
  async insert(rows: readonly NewRow[], declared?: DesiredSet): Promise<string[]> {
    if (rows.length === 0) return [];
    const values = rows.map((row) => {
      this.lastId += 1;
      const keys = this.spec.levels.flatMap((level, depth) => valuesOf(level, row[depth] ?? { place: 0, fine: 0 }));
      const literals = keys.map((value) => (value === null ? "NULL" : quoteLiteral(value)));
      return `(${[this.lastId, ...literals, quoteLiteral(`note ${this.lastId}`), 1 + (this.lastId % 9)].join(", ")})`;
    });
    await this.client.query(`DO $$ DECLARE one ${this.own}.rows; BEGIN
      FOR one IN INSERT INTO ${this.own}.rows VALUES ${values.join(", ")} RETURNING * LOOP
        BEGIN
          INSERT INTO ${this.schema}.t SELECT (one).*;
        EXCEPTION WHEN check_violation THEN INSERT INTO ${this.own}.refused VALUES ((one).id);
        END;
      END LOOP; END $$`);
    const { rows: refused } = await this.client.query<{ id: string }>(`DELETE FROM ${this.own}.refused RETURNING id`);
    if (refused.length === 0) return [];
    const belongings = declared === undefined ? new Map<number, Belonging>() : await this.belongings(declared);
    const ids = refused.map(({ id }) => Number(id));
    await this.forget(ids);
    return ids.flatMap((id) => {
      const { name, tier } = belongings.get(id) ?? {};
      return tier === "live" ? [`row ${id} of ${name}`] : [];
    });
  }

  private async forget(ids: number[]): Promise<void> {
    await this.client.query(`DELETE FROM ${this.own}.rows WHERE id = ANY ($1)`, [ids]);
  }

  /** Rows that somebody has deleted by hand. */
  async forgetMissing(): Promise<void> {
    const places = await this.whereabouts();
    const gone = [...places].filter(([, { state }]) => state === "gone").map(([id]) => id);
    await this.forget(gone);
  }

  /** Every row of the ledger, by id. @throws when a row is there twice, is there changed, or was never inserted. */
  async whereabouts(): Promise<Map<number, Whereabouts>> {
    const { rows: ledger } = await this.client.query<{ id: string; text: string }>(
      `SELECT id, r::text AS text FROM ${this.own}.rows r ORDER BY id`,
    );
    const texts = new Map(ledger.map(({ id, text }) => [Number(id), text]));
    const found = new Map<number, Whereabouts>();
    for (const { id, text, leaf, loose } of await this.seen()) {
      const place: Whereabouts = loose === null ? { state: "attached", table: leaf } : { state: "loose", table: loose };
      const other = found.get(Number(id));
      if (texts.get(Number(id)) !== text) throw new Error(`${leaf} has ${text}, which nobody inserted`);
      if (other !== undefined) throw new Error(`row ${id} is in ${leaf} and ${JSON.stringify(other)}`);
      found.set(Number(id), place);
    }
    return new Map([...texts.keys()].map((id) => [id, found.get(id) ?? { state: "gone" }]));
  }

  private async seen(): Promise<{ id: string; text: string; leaf: string; loose: string | null }[]> {
    const { rows: roots } = await this.client.query<{ name: string; table: string }>(
      `SELECT c.oid::regclass::text AS name, c.relname AS table FROM pg_class c
       WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p')
         AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid AND NOT i.inhdetachpending)`,
      [this.schema],
    );
    const reads = roots.map(
      ({ name, table }) =>
        `SELECT x.id, x::text AS text, c.relname AS leaf, ${table === "t" ? "NULL" : quoteLiteral(table)} AS loose
         FROM ${name} x JOIN pg_class c ON c.oid = x.tableoid`,
    );
    return (await this.client.query(reads.join(" UNION ALL "))).rows;
  }

  /** What a declaration says of each row. */
  async belongings(desired: DesiredSet): Promise<Map<number, Belonging | undefined>> {
    const cases = this.cases(desired.partitions, partitionKey({ ...desired, keyTypes: [] }), "true", "live", 0);
    const { rows } = await this.client.query<{ id: string; leaf: string | null; tier: Tier }>(
      `SELECT id, place[1] AS leaf, place[2] AS tier FROM
       (SELECT id, CASE ${cases.map(({ when, place }) => `WHEN ${when} THEN ${place}`).join(" ")} WHEN false THEN '{}' END AS place
        FROM ${this.own}.rows) x`,
    );
    return new Map(rows.map(({ id, leaf, tier }) => [Number(id), leaf === null ? undefined : { name: leaf, tier }]));
  }

  private cases(
    partitions: Record<string, DesiredPartition>,
    key: unknown,
    above: string,
    tier: Tier,
    depth: number,
  ): { when: string; place: string }[] {
    const { keyColumns: columns } = levelKey(key);
    const all = Object.entries(partitions);
    const inOrder = [...all.filter(([, one]) => !("default" in one)), ...all.filter(([, one]) => "default" in one)];
    return inOrder.flatMap(([name, one]) => {
      const when = `${above} AND ${this.condition(boundOf(one), columns, depth)}`;
      const own = tier === "live" ? one.tier : tier;
      if (one.partitions === undefined) return [{ when, place: `ARRAY[${quoteLiteral(name)}, '${own}']` }];
      const below = this.cases(one.partitions, one.partitionBy, when, own, depth + 1);
      return [...below, { when, place: "NULL" }];
    });
  }

  private condition(bound: PartitionBound, columns: string[], depth: number): string {
    const [column = ""] = columns;
    if ("default" in bound) return "true";
    if ("modulus" in bound) {
      const { modulus, remainder } = bound;
      return `satisfies_hash_partition('${this.own}.hash${depth}'::regclass, ${modulus}, ${remainder}, ${columns.join(", ")})`;
    }
    if ("values" in bound) {
      const equal = bound.values.map((value) =>
        value === null ? `${column} IS NULL` : `${column} = ${quoteLiteral(value)}`,
      );
      return `(${equal.join(" OR ")}) IS TRUE`;
    }
    const type = keyColumns(this.spec).find(({ name }) => name === column)?.type ?? "text";
    const end = (value: unknown) => `${quoteLiteral(String(value))}::${type}`;
    const lower = bound.from === "MINVALUE" ? "true" : `${column} >= ${end(bound.from)}`;
    return `${lower} AND ${bound.to === "MAXVALUE" ? "true" : `${column} < ${end(bound.to)}`}`;
  }
}
