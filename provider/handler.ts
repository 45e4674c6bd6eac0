/** What a resource kind does. The server turns requests into these calls; handlers know nothing of gRPC. */
import type { InputFailure } from "../topology/model";
import type { Database } from "./database";
import type { ResourceLog } from "./engineLog";
import type { Properties } from "./values";
import type { ViewPublisher } from "./views";

export type DifferenceKind = "add" | "delete" | "update" | "addReplace" | "updateReplace";

export interface PropertyDifference {
  /** Path in the engine's syntax: `partitions.events_2027_01.tier`, `partitions["a b"]`. */
  path: string;
  kind: DifferenceKind;
  /** True: the old value is to be shown from the old inputs; false (default): from the old outputs. */
  inputDiff?: boolean;
}

export interface Difference {
  differences: PropertyDifference[];
  /** Lines for Diagnostics: what a reviewer has to know although nothing is done about it. */
  warnings?: string[];
}

export interface Context {
  name: string;
  log: ResourceLog;
  database: Database;
  views: ViewPublisher;
  /** Aborted by the engine's Cancel. */
  signal: AbortSignal;
}

export interface Resource {
  id: string;
  outputs: Properties;
  inputs?: Properties;
}

export interface CheckRequest {
  olds: Properties;
  news: Properties;
}

export interface DiffRequest {
  id: string;
  /** Last recorded outputs: what `up` or `refresh` saw. */
  olds: Properties;
  oldInputs: Properties;
  news: Properties;
}

export interface CreateRequest {
  news: Properties;
  preview: boolean;
}

export interface UpdateRequest extends CreateRequest {
  id: string;
  olds: Properties;
  oldInputs: Properties;
}

export interface ReadRequest {
  id: string;
  /** Empty on import. */
  olds: Properties;
  oldInputs: Properties;
}

export interface DeleteRequest {
  id: string;
  olds: Properties;
  oldInputs: Properties;
}

export interface ResourceHandler {
  check(request: CheckRequest): { inputs: Properties; failures: InputFailure[] };
  diff(request: DiffRequest): Difference;
  create(context: Context, request: CreateRequest): Promise<Resource>;
  /** Undefined: the resource is gone. */
  read(context: Context, request: ReadRequest): Promise<Resource | undefined>;
  update(context: Context, request: UpdateRequest): Promise<Properties>;
  delete(context: Context, request: DeleteRequest): Promise<void>;
}
