/** A month of rows goes into an archive by a lifecycle, its table is dropped, and a pin brings it back. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { to } from "pg-copy-streams";
import type { Properties } from "../../../provider/values";
import { OneResource } from "./one-resource";

/** Name of the table whose months are archived; it has a column `at`, of which January 2026 is meant. */
export const TABLE = "events";

const JANUARY = `${TABLE}_2026_01`;

/** What is declared of it. `tier` of January, which a pin keeps live when it is that. */
function program(archive: Properties, tier: "live" | "archived"): Properties {
  return {
    table: TABLE,
    partitionBy: { range: { column: "at", type: "timestamptz", every: "month" } },
    window: { from: "2026-01", ahead: 0 },
    asOf: "2026-04",
    archive,
    lifecycle: [{ after: "2 months", tier: "archived" }],
    pins: tier === "live" ? [{ from: "2026-01", to: "2026-02" }] : [],
  };
}

export class ArchivedLife {
  private readonly set: OneResource;

  constructor(
    connection: OneResource["connection"],
    private readonly client: Client,
    private readonly archive: Properties,
  ) {
    this.set = new OneResource(connection);
  }

  /** Makes the partitions that are missing. */
  begin(): Promise<void> {
    return this.set.up(program(this.archive, "live"));
  }

  /** @throws what the update says; January is still there then. */
  async archived(): Promise<void> {
    try {
      await this.set.up(program(this.archive, "archived"));
    } catch (error) {
      assert.ok(await this.exists(), "what fails keeps the table");
      throw error;
    }
    assert.ok(!(await this.exists()), "the table is gone");
  }

  async restored(): Promise<void> {
    await this.set.up(program(this.archive, "live"));
    assert.equal(this.set.tiers[JANUARY], "live");
    assert.ok(await this.exists(), "the table is there");
  }

  /** What the last operation has said. */
  get text(): string {
    return this.set.text;
  }

  /**
   * Archives and restores, and compares rows twice: by EXCEPT, in both directions, as text, since not every type has an
   * equality; and by the bytes of a binary COPY, for which 0 is not -0, and which knows no text at all.
   */
  async roundTrip(): Promise<void> {
    const columns = await this.columns();
    const texts = columns.map((column) => `${column}::text`).join(", ");
    await this.client.query(`CREATE TABLE kept AS SELECT ${columns.join(", ")} FROM ${TABLE}`);
    const before = await this.bytes(columns);
    await this.archived();
    await this.restored();
    const after = await this.bytes(columns);
    const [one, other] = [`SELECT ${texts} FROM ${TABLE}`, `SELECT ${texts} FROM kept`];
    const { rows } = await this.client.query(
      `(${one} EXCEPT ALL ${other}) UNION ALL (${other} EXCEPT ALL ${one}) LIMIT 10`,
    );
    assert.deepEqual(rows, []);
    assert.ok(before.equals(after), "the same bytes");
    await this.client.query("DROP TABLE kept");
  }

  private async columns(): Promise<string[]> {
    const { rows } = await this.client.query<{ name: string }>(
      `SELECT quote_ident(attname) AS name FROM pg_attribute
       WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
      [TABLE],
    );
    return rows.map(({ name }) => name);
  }

  private async bytes(columns: readonly string[]): Promise<Buffer> {
    const pieces: Buffer[] = [];
    const sql = `COPY (SELECT ${columns.join(", ")} FROM ${TABLE} ORDER BY ${columns.includes("id") ? "id" : "at"}) TO STDOUT (FORMAT binary)`;
    for await (const piece of this.client.query(to(sql))) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  private async exists(): Promise<boolean> {
    const { rows } = await this.client.query("SELECT to_regclass($1) IS NOT NULL AS there", [JANUARY]);
    return rows[0].there;
  }
}
