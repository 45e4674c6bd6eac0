/** What a resource kind does. The server turns requests into these calls; handlers know nothing of gRPC. */
import type { InputFailure, RelationName } from "../topology/model";
import type { Database } from "./database";
import type { Difference } from "./difference";
import type { ResourceLog } from "./engineLog";
import type { Properties } from "./values";
import type { ViewPublisher } from "./views";

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
  /** The table that inputs or outputs are about, once that is known. */
  relation(properties: Properties): RelationName | undefined;
  check(request: CheckRequest): { inputs: Properties; failures: InputFailure[] };
  diff(request: DiffRequest): Difference;
  create(context: Context, request: CreateRequest): Promise<Resource>;
  /** Undefined: the resource is gone. */
  read(context: Context, request: ReadRequest): Promise<Resource | undefined>;
  update(context: Context, request: UpdateRequest): Promise<Properties>;
  delete(context: Context, request: DeleteRequest): Promise<void>;
}

/** What a resource does either for a preview or for real; `olds` are empty when it is new. */
export type Converge = (
  context: Context,
  request: CreateRequest | UpdateRequest,
  olds: Properties,
) => Promise<Properties>;

/** Create and Update of a resource that converges: both bring what is there, whatever it is, to what is declared. */
export function converging(
  preview: Converge,
  apply: Converge,
  idOf: (outputs: Properties) => string,
): Pick<ResourceHandler, "create" | "update"> {
  const converge = (request: CreateRequest) => (request.preview ? preview : apply);
  return {
    async create(context, request) {
      const outputs = await converge(request)(context, request, {});
      return { id: idOf(outputs), outputs };
    },
    update(context, request) {
      const olds = { ...request.olds, acceptIdentity: request.news.acceptIdentity };
      return converge(request)(context, request, olds);
    },
  };
}
