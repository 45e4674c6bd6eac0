/** One PartitionSet as the provider runs it in this very process, with the state that the engine would keep. */
import { Database } from "../../provider/database";
import type { Context } from "../../provider/handler";
import { decide } from "../../provider/partitionSet/decide";
import { partitionSetHandler } from "../../provider/partitionSet/handler";
import { observe } from "../../provider/partitionSet/observe";
import { ownPart } from "../../provider/partitionSet/own";
import { outputsFromActual } from "../../provider/partitionSet/state";
import { PartialFailure } from "../../provider/rpcErrors";
import type { Properties } from "../../provider/values";
import { ViewPublisher } from "../../provider/views";
import type { ArchivedCopy, DesiredSet } from "../../topology/model";
import { desiredFromChecked } from "../../topology/policy";
import type { Plan } from "../../topology/steps";
import type { Connection } from "../support/postgres";

/** What an `up` came to. `refused`: why it is not, or not quite, as declared. */
export interface Outcome {
  refused: string[];
  /** True when the update did not even begin. */
  whole: boolean;
}

interface Recorded {
  inputs: Properties;
  outputs: Properties;
}

/** Seconds in which a lock must be had: there is nobody else. */
const BUDGET = 10;

export function databaseOf({ user, ...rest }: Connection): Database {
  return new Database({ ...rest, username: user, sslmode: "disable", lockBudgetSeconds: BUDGET });
}

export class Subject {
  private recorded: Recorded | undefined;

  constructor(private readonly database: Database) {}

  /** The inputs as Check completes them; undefined when it refuses them. */
  check(news: Properties): Properties | undefined {
    const { inputs, failures } = partitionSetHandler.check({ olds: this.recorded?.inputs ?? {}, news });
    return failures.length === 0 ? inputs : undefined;
  }

  /** `news` have been through Check. @throws what is neither success nor a refusal. */
  async up(news: Properties): Promise<Outcome> {
    try {
      const outputs = await this.converge(news, false);
      this.recorded = { inputs: news, outputs };
      return { refused: [], whole: false };
    } catch (error) {
      if (error instanceof PartialFailure) {
        this.recorded = { inputs: news, outputs: error.outputs };
        return { refused: error.reasons, whole: false };
      }
      if (isRefusal(error)) return { refused: [error.message], whole: true };
      throw error;
    }
  }

  /** The partitions that a preview promises. */
  async preview(news: Properties): Promise<unknown> {
    return (await this.converge(news, true)).partitions;
  }

  private async converge(news: Properties, preview: boolean): Promise<Properties> {
    const context = contextOf(this.database);
    if (this.recorded === undefined) return (await partitionSetHandler.create(context, { news, preview })).outputs;
    const { inputs: oldInputs, outputs: olds } = this.recorded;
    return partitionSetHandler.update(context, { id: "t", olds, oldInputs, news, preview });
  }

  /** What an `up` would do now, and the partitions that a refresh would record. */
  lookAgain(news: Properties): Promise<{ plan: Plan; partitions: unknown }> {
    const desired = desiredFromChecked(news);
    return this.database.sessions.withSession(async (session) => {
      const seen = await observe(session, desired, this.recorded?.outputs ?? {});
      const ours = ownPart(desired, seen.actual, seen.known);
      const { partitions } = outputsFromActual(news, ours, seen.identity, seen.known);
      return { plan: await decide(session, seen), partitions };
    });
  }

  /** `pulumi refresh`. */
  async refresh(): Promise<void> {
    if (this.recorded === undefined) return;
    const { inputs: oldInputs, outputs: olds } = this.recorded;
    const found = await partitionSetHandler.read(contextOf(this.database), { id: "t", olds, oldInputs });
    if (found === undefined) throw new Error("refresh does not find the set");
    this.recorded = { inputs: oldInputs, outputs: found.outputs };
  }

  /** Paths that the engine would show as changes. */
  differences(news: Properties): string[] {
    const { inputs: oldInputs, outputs: olds } = this.recorded ?? { inputs: {}, outputs: {} };
    const { differences } = partitionSetHandler.diff({ id: "t", olds, oldInputs, news });
    return differences.map(({ kind, path }) => `${kind} ${path}`);
  }

  get isRecorded(): boolean {
    return this.recorded !== undefined;
  }

  /** The action, of which the state learns nothing. */
  async forget(action: () => Promise<unknown>): Promise<void> {
    const { recorded } = this;
    try {
      await action();
    } finally {
      this.recorded = recorded;
    }
  }

  /** True when the state knows a table of this name, attached or not. */
  knows(table: string): boolean {
    const { oids } = this.recorded?.outputs ?? {};
    return typeof oids === "object" && oids !== null && Object.hasOwn(oids, table);
  }

  /** Keys of the manifests of what is in the archive only. */
  get archived(): string[] {
    const { archives = {} } = this.recorded?.outputs ?? {};
    return Object.values(archives as Record<string, ArchivedCopy>).flatMap(({ only, manifest }) =>
      only ? [manifest.key] : [],
    );
  }

  /** The partitions that the state has. */
  get partitions(): unknown {
    return this.recorded?.outputs.partitions;
  }
}

/** Refusals of the plan are plain errors with a text for the user; everything else has a class or a code of its own. */
function isRefusal(error: unknown): error is Error {
  return error instanceof Error && error.constructor === Error && !("code" in error);
}

export function desiredOf(news: Properties): DesiredSet {
  return desiredFromChecked(news);
}

function contextOf(database: Database): Context {
  return {
    name: "t",
    log: { diagnostic: async () => undefined, status: async () => undefined },
    database,
    views: new ViewPublisher("", "", {}),
    signal: new AbortController().signal,
  };
}
