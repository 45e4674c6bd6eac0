/** Errors that the engine understands beyond a plain message. */
import { status as grpcStatus, Metadata, type ServiceError } from "@grpc/grpc-js";
import * as errorsProto from "@pulumi/pulumi/proto/errors_pb";
import * as providerProto from "@pulumi/pulumi/proto/provider_pb";
import * as statusProto from "@pulumi/pulumi/proto/status_pb";
import { Any } from "google-protobuf/google/protobuf/any_pb";
import { DatabaseError } from "pg";
import { explainError } from "../postgres/errors";
import type { InputFailure } from "../topology/model";
import { encode, type Properties } from "./values";

/** The operation did part of its work: the state keeps `outputs`, the reasons stand in Diagnostics, the next `up` goes on. */
export class PartialFailure extends Error {
  constructor(
    readonly id: string,
    readonly outputs: Properties,
    readonly inputs: Properties,
    readonly reasons: string[],
    readonly secrets: ReadonlySet<string> = new Set(),
  ) {
    super(reasons.join("\n"));
  }
}

/** Inputs that cannot be accepted, all of them at once. Used where the engine has no CheckFailure (Configure). */
export class RejectedInputs extends Error {
  constructor(readonly failures: InputFailure[]) {
    super(failures.map(({ property, reason }) => `${property}: ${reason}`).join("\n"));
  }
}

/** A gRPC error whose details travel in `grpc-status-details-bin`. Anything else becomes UNKNOWN with what is known of it. */
export function toServiceError(error: unknown): Partial<ServiceError> {
  const message = messageOf(error);
  if (error instanceof PartialFailure) return withDetails(message, partialFailureDetails(error));
  if (error instanceof RejectedInputs) return withDetails(message, rejectedInputsDetails(error));
  return { code: grpcStatus.UNKNOWN, details: message, message };
}

/** PostgreSQL's errors with their detail, hint and SQLSTATE; messages of our own keep their lines. */
function messageOf(error: unknown): string {
  if (error instanceof DatabaseError) return explainError(error);
  return error instanceof Error ? error.message : String(error);
}

function partialFailureDetails(error: PartialFailure): Any {
  const detail = new providerProto.ErrorResourceInitFailed();
  detail.setId(error.id);
  detail.setProperties(encode(error.outputs, error.secrets));
  detail.setInputs(encode(error.inputs, error.secrets));
  detail.setReasonsList(error.reasons);
  return pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
}

function rejectedInputsDetails(error: RejectedInputs): Any {
  const detail = new errorsProto.InputPropertiesError();
  for (const { property, reason } of error.failures) {
    const item = new errorsProto.InputPropertiesError.PropertyError();
    item.setPropertyPath(property);
    item.setReason(reason);
    detail.addErrors(item);
  }
  return pack(detail.serializeBinary(), "pulumirpc.InputPropertiesError");
}

function pack(bytes: Uint8Array, typeName: string): Any {
  const any = new Any();
  any.pack(bytes, typeName);
  return any;
}

function withDetails(message: string, detail: Any): Partial<ServiceError> {
  const status = new statusProto.Status();
  status.setCode(grpcStatus.UNKNOWN);
  status.setMessage(message);
  status.addDetails(detail);
  const metadata = new Metadata();
  metadata.add("grpc-status-details-bin", Buffer.from(status.serializeBinary()));
  return { code: grpcStatus.UNKNOWN, details: message, message, metadata };
}
