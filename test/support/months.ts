/** A table of months that go to an archive and come back, as far as the provider does it: program, state and rows. */
import type { Client } from "pg";
import type { Properties } from "../../provider/values";
import { runWithFault, sessionsEnd, UP_WITHOUT_ENGINE } from "./kills";
import type { Connection } from "./postgres";
import type { Program, State, UpWithoutEngine } from "./without-engine";

const { upWithoutEngine } = require("./without-engine") as { upWithoutEngine: UpWithoutEngine };

/** January leaves for the archive. */
export const ARCHIVED = { lifecycle: [{ after: "1 month", tier: "archived" }] };
/** January has a copy, and stays. */
export const EXPORTED = { lifecycle: [{ after: "1 month", tier: "exported" }] };
/** January is back. */
export const PINNED = { ...ARCHIVED, pins: [{ from: "2026-01", to: "2026-02" }] };

export interface MonthsShape {
  /** Of the key. Default: date. */
  type?: "date" | "timestamptz";
  /** Default: March. */
  asOf?: string;
  /** Beside id and at. Default: a payload. */
  columns?: readonly Properties[];
  /** More arguments of the table. Default: none. */
  table?: Properties;
  /** More arguments of the archive. */
  archive?: Properties;
}

const PAYLOAD = { name: "payload", type: "text" };

export class Months {
  state: State = {};

  constructor(
    readonly connection: Connection,
    /** Where the archive is; may be changed on the way. */
    public store: string,
    private readonly shape: MonthsShape = {},
  ) {}

  /** `more`: further arguments of the set. */
  program(more: Properties = {}): Program {
    const { type = "date", asOf = "2026-03", columns = [PAYLOAD], table, archive } = this.shape;
    const partitionBy = { range: { column: "at", type, every: "month" } };
    const key = [
      { name: "id", type: "bigint" },
      { name: "at", type, nullable: false },
    ];
    return {
      table: { name: "events", partitionBy, columns: [...key, ...columns], ...table },
      set: {
        table: "events",
        partitionBy,
        window: { from: "2026-01", ahead: 0 },
        asOf,
        archive: { store: this.store, ...archive },
        ...more,
      },
    };
  }

  async up(more: Properties = {}): Promise<void> {
    this.state = await upWithoutEngine(this.connection, this.program(more), this.state);
  }

  /** The same in a process that is killed at the fault, unless it ends before. The state stays what it was. */
  async killedAt(fault: string, more: Properties, client: Client): Promise<boolean> {
    const args = [this.connection, this.program(more), this.state];
    const signal = await runWithFault(UP_WITHOUT_ENGINE, args, fault);
    await sessionsEnd(client);
    return signal === "SIGKILL";
  }

  /** By name of the partition. */
  get tiers(): Record<string, string> {
    const partitions = (this.state.set?.outputs.partitions ?? {}) as Record<string, { tier: string }>;
    return Object.fromEntries(Object.entries(partitions).map(([name, { tier }]) => [name, tier]));
  }
}

export interface Content {
  n: number;
  hash: string;
}

/** Number of rows, and what they all are. */
export async function contentOf(client: Client, table = "events"): Promise<Content> {
  const text = `SELECT count(*)::int AS n, md5(string_agg(e::text, ',' ORDER BY id, e::text)) AS hash FROM ${table} AS e`;
  return (await client.query<Content>(text)).rows[0] as Content;
}
