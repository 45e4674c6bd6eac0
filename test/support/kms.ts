/**
 * A stand-in for AWS KMS: the two requests of its protocol that envelope encryption makes, with keys that never leave it,
 * encryption contexts that are authenticated, and a switch that takes a key out of use.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

interface Request {
  KeyId: string;
  NumberOfBytes?: number;
  CiphertextBlob?: string;
  EncryptionContext?: Record<string, string>;
}

const IV_BYTES = 12;
const TAG_BYTES = 16;

/** What the server answers instead of what was asked. */
class Refusal extends Error {
  constructor(
    readonly type: string,
    message: string,
  ) {
    super(message);
  }
}

/** Point `AWS_ENDPOINT_URL_KMS` to its URL. */
export class StandInKms {
  private readonly keys = new Map<string, Buffer>();
  private readonly disabled = new Set<string>();
  private server: Server | undefined;

  async start(): Promise<string> {
    this.server = createServer(async (request, response) => {
      try {
        response.end(JSON.stringify(await this.answer(request)));
      } catch (error) {
        const refusal =
          error instanceof Refusal ? error : new Refusal("InvalidCiphertextException", "cannot be decrypted");
        response.statusCode = 400;
        response.end(JSON.stringify({ __type: refusal.type, message: refusal.message }));
      }
    });
    await once(this.server.listen(0, "127.0.0.1"), "listening");
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server?.close();
    this.server?.closeAllConnections();
  }

  /** Its ARN. */
  createKey(): string {
    const arn = `arn:aws:kms:eu-central-1:111122223333:key/${randomBytes(8).toString("hex")}`;
    this.keys.set(arn, randomBytes(32));
    return arn;
  }

  disable(arn: string): void {
    this.disabled.add(arn);
  }

  private async answer(message: IncomingMessage): Promise<object> {
    const request = JSON.parse((await buffer(message)).toString()) as Request;
    const { KeyId, NumberOfBytes = 32, CiphertextBlob = "", EncryptionContext = {} } = request;
    const key = this.keys.get(KeyId);
    if (key === undefined) throw new Refusal("NotFoundException", `Key '${KeyId}' does not exist`);
    if (this.disabled.has(KeyId)) throw new Refusal("DisabledException", `${KeyId} is disabled.`);
    const bound = Buffer.from(JSON.stringify(Object.entries(EncryptionContext).sort()));
    const action = String(message.headers["x-amz-target"]).split(".").at(-1);
    if (action === "GenerateDataKey") {
      const plain = randomBytes(NumberOfBytes);
      return {
        KeyId,
        Plaintext: plain.toString("base64"),
        CiphertextBlob: sealed(key, plain, bound).toString("base64"),
      };
    }
    if (action === "Decrypt")
      return { KeyId, Plaintext: opened(key, Buffer.from(CiphertextBlob, "base64"), bound).toString("base64") };
    throw new Refusal("UnknownOperationException", `${action} is not known here`);
  }
}

function sealed(key: Buffer, plain: Buffer, bound: Buffer): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(bound);
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function opened(key: Buffer, blob: Buffer, bound: Buffer): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", key, blob.subarray(0, IV_BYTES)).setAAD(bound);
  decipher.setAuthTag(blob.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(blob.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
}
