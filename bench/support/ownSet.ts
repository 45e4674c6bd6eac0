/** This module in the same process, from its build and without the engine: one table by day. */
import type { Session } from "../../postgres/connection";
import type { CatalogSet } from "../../postgres/parent";
import type { Connection } from "../../test/support/postgres";
import type { DesiredSet, KnownOids } from "../../topology/model";
import type { Plan } from "../../topology/steps";

const { Sessions } = require("../../dist/postgres/connection") as typeof import("../../postgres/connection");
const { readSet } = require("../../dist/postgres/catalog") as typeof import("../../postgres/catalog");
const { execute } = require("../../dist/postgres/executor") as typeof import("../../postgres/executor");
const { plan } = require("../../dist/topology/plan") as typeof import("../../topology/plan");
const { desiredFromChecked, expand } = require("../../dist/topology/policy") as typeof import("../../topology/policy");

interface Planned {
  planned: Plan;
  found: CatalogSet;
}

export class OwnSet {
  private readonly sessions: InstanceType<typeof Sessions>;

  constructor({ user, ...rest }: Connection) {
    this.sessions = new Sessions({ ...rest, username: user, sslmode: "disable" }, {});
  }

  /** Policy to partitions, catalog, plan; days from `now` on. */
  plan(now: string, days: number): Promise<Planned> {
    return this.sessions.withSession((session) => planIn(session, now, days));
  }

  /** The same, and carries the plan out. @throws when a step was not done. */
  async apply(now: string, days: number): Promise<number> {
    const { planned, found } = await this.plan(now, days);
    if (found.parent === undefined) throw new Error("the table is not there");
    const { done, failed, skipped } = await execute(planned, { sessions: this.sessions, parent: found.parent });
    if (failed.length + skipped.length > 0) throw new Error(JSON.stringify([failed[0], skipped[0]]));
    return done.length;
  }

  close(): Promise<void> {
    return this.sessions.close();
  }
}

async function planIn(session: Session, now: string, days: number): Promise<Planned> {
  const desired = desiredDays(now, days);
  const known: KnownOids = {};
  const names = Object.keys(desired.partitions).map((name) => ({ schema: desired.schema, name }));
  const found = await readSet(session, { schema: "public", table: "events", names, known });
  return { planned: plan(desired, found, known), found };
}

function desiredDays(now: string, days: number): DesiredSet {
  const { checked, failures } = expand(
    {
      schema: "public",
      table: "events",
      partitionBy: { range: { column: "created_at", type: "timestamptz", every: "day" } },
      window: { from: now, ahead: days - 1 },
      asOf: now,
    },
    {},
  );
  if (failures.length > 0) throw new Error(JSON.stringify(failures));
  return desiredFromChecked(checked);
}
