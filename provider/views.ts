/**
 * View steps: rows in the preview below their owning resource, one for each partition that changes.
 *
 * The engine dies on an assertion when an UPDATE or DELETE names an old view that its state does not hold. So the old
 * views are taken from the request itself (`OldViews`, which the engine reads from its state), never from our memory.
 */
import { credentials } from "@grpc/grpc-js";
import type { View } from "@pulumi/pulumi/proto/provider_pb";
import { ResourceStatusClient } from "@pulumi/pulumi/proto/resource_status_grpc_pb";
import { PublishViewStepsRequest, ViewStep, ViewStepState } from "@pulumi/pulumi/proto/resource_status_pb";
import { MAX_MESSAGE_BYTES } from "./limits";
import { decode, encode, type Properties, sameValue } from "./values";

/** Token shown in the Type column. */
export const PARTITION_VIEW = "pgpartition:index:Partition";

/** One row: `state` undefined = the partition goes away. */
export interface ViewRow {
  name: string;
  state?: Properties;
}

export interface OldViews {
  [name: string]: Properties;
}

/** The views of the owner in the engine's state, by name. */
export function oldViewsOf(views: View[]): OldViews {
  return Object.fromEntries(views.map((view) => [view.getName(), decode(view.getOutputs()).values]));
}

export type RowOperation = "create" | "update" | "delete";

/** What a row becomes, given what the engine's state holds; undefined when it says nothing new. Pure. */
export function rowOperation(row: ViewRow, old: OldViews): RowOperation | undefined {
  const before = old[row.name];
  if (row.state === undefined) return before === undefined ? undefined : "delete";
  if (before === undefined) return "create";
  return sameValue(before, row.state) ? undefined : "update";
}

const OPERATIONS: Record<RowOperation, ViewStep.Op> = {
  create: ViewStep.Op.CREATE,
  update: ViewStep.Op.UPDATE,
  delete: ViewStep.Op.DELETE,
};

export class ViewPublisher {
  /** `address` and `token` come with each request; empty when the engine does not support views. */
  constructor(
    private readonly address: string,
    private readonly token: string,
    readonly old: OldViews,
  ) {}

  get supported(): boolean {
    return this.address !== "" && this.token !== "";
  }

  async publish(rows: ViewRow[]): Promise<void> {
    const steps = rows.flatMap((row) => {
      const operation = rowOperation(row, this.old);
      return operation === undefined ? [] : [this.step(row, operation)];
    });
    if (!this.supported || steps.length === 0) return;
    const request = new PublishViewStepsRequest();
    request.setToken(this.token);
    request.setStepsList(steps);
    const client = new ResourceStatusClient(this.address, credentials.createInsecure(), {
      "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    });
    try {
      await new Promise<void>((resolve, reject) => {
        client.publishViewSteps(request, (error) => (error ? reject(error) : resolve()));
      });
    } finally {
      client.close();
    }
  }

  /** Takes every row away: one that outlives its owner makes the engine's state invalid. */
  withdraw(): Promise<void> {
    return this.publish(Object.keys(this.old).map((name) => ({ name })));
  }

  private step(row: ViewRow, operation: RowOperation): ViewStep {
    const step = new ViewStep();
    step.setOp(OPERATIONS[operation]);
    step.setStatus(ViewStep.Status.OK);
    step.setType(PARTITION_VIEW);
    step.setName(row.name);
    const before = this.old[row.name];
    if (before !== undefined) step.setOld(viewState(row.name, before));
    if (row.state !== undefined) step.setNew(viewState(row.name, row.state));
    if (before !== undefined && row.state !== undefined) {
      const after = row.state;
      const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
      step.setDiffsList([...keys].filter((key) => !sameValue(before[key], after[key])));
    }
    return step;
  }
}

function viewState(name: string, values: Properties): ViewStepState {
  const state = new ViewStepState();
  state.setType(PARTITION_VIEW);
  state.setName(name);
  state.setInputs(encode(values));
  state.setOutputs(encode(values));
  return state;
}
