/** What the provider does for a declared set whose rows change tables, run after run. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import { type ExecutionReport, execute } from "../../../postgres/executor";
import { DEFAULT_LADDER } from "../../../postgres/ladder";
import { decide } from "../../../provider/partitionSet/decide";
import { observe } from "../../../provider/partitionSet/observe";
import { outputsFromActual } from "../../../provider/partitionSet/state";
import type { Properties } from "../../../provider/values";
import type { DesiredSet } from "../../../topology/model";
import type { Plan, ReorganizationMethod } from "../../../topology/steps";
import { sessionsEnd } from "../../support/kills";
import type { TestDatabase } from "../../support/postgres";
import { runChild } from "../postgres/crash-parent";
import { sessionsOn } from "../postgres/support";
import { contentOf, leftovers } from "./support";

/** Updates of the set `s.p`, which is compared with `s.twin`. */
export class Updates {
  private sessions: Sessions;
  private state: Properties = {};

  constructor(
    private readonly database: TestDatabase,
    private readonly client: Client,
  ) {
    this.sessions = sessionsOn(database.connection);
  }

  close(): Promise<void> {
    return this.sessions.close();
  }

  /** As if nothing had been declared before. */
  forget(): void {
    this.state = {};
  }

  /** The plan of a run, moving rows in this way, whose steps a process of its own can carry out. */
  planned(wanted: DesiredSet, method?: ReorganizationMethod): Promise<Plan> {
    return this.sessions.withSession(async (session) => {
      const made = await decide(session, await observe(session, wanted, this.state));
      const steps = made.steps.map((step) =>
        step.kind === "reorganize" && method !== undefined ? { ...step, method } : step,
      );
      return { ...made, steps };
    });
  }

  /** What becomes of a plan, which is not recorded. */
  async carriedOut(wanted: DesiredSet, made: Plan): Promise<ExecutionReport> {
    const { catalog } = await this.seen(wanted);
    assert.ok(catalog?.parent);
    return execute(made, { sessions: this.sessions, parent: catalog.parent, ladder: DEFAULT_LADDER });
  }

  /** A run in which nothing may go wrong. */
  async up(wanted: DesiredSet, method?: ReorganizationMethod): Promise<Plan> {
    const made = await this.planned(wanted, method);
    assert.deepEqual(
      made.findings.filter(({ severity }) => severity === "error"),
      [],
    );
    const report = await this.carriedOut(wanted, made);
    assert.deepEqual([report.failed, report.skipped], [[], []]);
    await this.recorded(wanted);
    return made;
  }

  /** Records what is there. */
  async recorded(wanted: DesiredSet): Promise<void> {
    const { actual, identity, known } = await this.seen(wanted);
    this.state = outputsFromActual({ schema: "s", partitions: wanted.partitions }, actual, identity, known);
  }

  private seen(wanted: DesiredSet) {
    return this.sessions.withSession((session) => observe(session, wanted, this.state));
  }

  /** A run in a process that is killed at the point; null when it has ended before. */
  async killed(wanted: DesiredSet, method: ReorganizationMethod, point: string) {
    const { steps } = await this.planned(wanted, method);
    await this.sessions.close();
    const signal = await runChild(this.database, steps, point);
    await sessionsEnd(this.client);
    this.sessions = sessionsOn(this.database.connection);
    return signal;
  }

  /** The next run has nothing to do, nothing of ours is left, and the rows are those of the twin. */
  async nothingLeft(wanted: DesiredSet): Promise<void> {
    const { steps, findings } = await this.planned(wanted);
    assert.deepEqual([steps, findings], [[], []]);
    assert.deepEqual(await leftovers(this.client), []);
    assert.equal(await contentOf(this.client, "s.p"), await contentOf(this.client, "s.twin"));
  }
}
