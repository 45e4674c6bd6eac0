/** What a person sees: the Info column of a row (ephemeral) and Diagnostics. Nothing is ever printed to standard output. */
import { credentials } from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";
import { MAX_MESSAGE_BYTES } from "./limits";

export type Severity = "info" | "warning" | "error";

const SEVERITIES: Record<Severity, LogSeverity> = {
  info: LogSeverity.INFO,
  warning: LogSeverity.WARNING,
  error: LogSeverity.ERROR,
};

/** Least time between two changes of a row's Info column; more often only flickers and slows the engine. */
const STATUS_INTERVAL_MS = 1000;

/** Log of one resource. */
export interface ResourceLog {
  /** A line in Diagnostics. */
  diagnostic(severity: Severity, text: string): Promise<void>;
  /** The Info column; at most one a second unless `final`. */
  status(text: string, final?: boolean): Promise<void>;
}

export class EngineLog {
  private readonly client: EngineClient;

  constructor(engineAddress: string) {
    this.client = new EngineClient(engineAddress, credentials.createInsecure(), {
      "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    });
  }

  forResource(urn: string): ResourceLog {
    let lastText = "";
    let lastAt = 0;
    return {
      diagnostic: (severity, text) => this.send(urn, SEVERITIES[severity], text, false),
      status: async (text, final = false) => {
        const now = Date.now();
        if (text === lastText || (!final && now - lastAt < STATUS_INTERVAL_MS)) return;
        lastText = text;
        lastAt = now;
        await this.send(urn, LogSeverity.INFO, text, true);
      },
    };
  }

  /** True while the engine's end of the channel has gone away. */
  isBroken(): boolean {
    // 3 is grpc.connectivityState.TRANSIENT_FAILURE: connected once, or tried to, and cannot now.
    return this.client.getChannel().getConnectivityState(true) === 3;
  }

  close(): void {
    this.client.close();
  }

  /** A lost message must not fail an operation on a database, so errors end here. */
  private send(urn: string, severity: LogSeverity, text: string, ephemeral: boolean): Promise<void> {
    const request = new LogRequest();
    request.setUrn(urn);
    request.setSeverity(severity);
    request.setMessage(text);
    request.setEphemeral(ephemeral);
    return new Promise((resolve) => this.client.log(request, () => resolve()));
  }
}
