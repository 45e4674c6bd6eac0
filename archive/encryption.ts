/**
 * Rows are encrypted before they leave this machine: with the AWS Encryption SDK, whose format is open and which other
 * languages and tools read as well. Each object has a data key of its own, which the declared key encrypts; the object's key
 * (its path) is bound to it, so that an object in the place of another one does not decrypt.
 */
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import type * as Sdk from "@aws-crypto/client-node";
import { ArchiveError } from "../postgres/errors";
import { type ArchiveEncryption, type ArchiveKey, regionOfKey } from "../topology/encryption";
import { missingLibrary } from "./library";

/**
 * Encrypts the rows of new objects, and decrypts those of objects whose keys are declared. Streams end with an ArchiveError
 * when the key cannot be used; with any other error the object is not what was encrypted.
 */
export interface Cipher {
  /** Which key new objects are encrypted with: the ARN of a KMS key, or `file:` and a fingerprint. Says nothing of the key itself. */
  readonly id: string;
  encrypt(objectKey: string): Duplex;
  /** @throws ArchiveError when that key is not declared. */
  decrypt(objectKey: string, id: string): Duplex;
}

/** In front of the fingerprint of a key in a file. */
const FILE = "file:";
/** Names keys in files within the messages of the SDK. */
const NAMESPACE = "pgpartition";
/** What is encrypted and authenticated at a time, and held in memory. */
const FRAME_BYTES = 2 ** 18;

/** Keys are read, and KMS is asked, when the first object is; a preview needs neither. `profile`: as of the store. */
export function cipherOf(encryption: ArchiveEncryption, profile?: string): Cipher {
  return new SdkCipher(encryption, profile);
}

interface DeclaredKey {
  id: string;
  /** `fail` is told why KMS did not do as asked. */
  keyring(fail: (error: ArchiveError) => void): Sdk.KeyringNode;
}

class SdkCipher implements Cipher {
  private readonly sdk = loadSdk();
  private readonly client = this.sdk.buildClient({
    commitmentPolicy: this.sdk.CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT,
    maxEncryptedDataKeys: 1,
  });
  private keys: DeclaredKey[] | undefined;

  constructor(
    private readonly encryption: ArchiveEncryption,
    private readonly profile: string | undefined,
  ) {}

  get id(): string {
    return this.current.id;
  }

  encrypt(objectKey: string): Duplex {
    const { sdk, client } = this;
    return streamOf((fail) =>
      client.encryptStream(this.current.keyring(fail), {
        // No signature: rows could be trusted after the last byte only, and who may encrypt could sign as well.
        suiteId: sdk.AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY,
        encryptionContext: contextOf(objectKey),
        frameLength: FRAME_BYTES,
      }),
    );
  }

  decrypt(objectKey: string, id: string): Duplex {
    const key = this.declared.find((declared) => declared.id === id);
    if (key === undefined) throw undeclaredKey(objectKey, id);
    return streamOf((fail) => {
      const stream = this.client.decryptUnsignedMessageStream(key.keyring(fail));
      stream.once("MessageHeader", ({ encryptionContext }: Sdk.MessageHeader) => {
        const { object } = encryptionContext;
        if (object !== objectKey) stream.destroy(new Error(`it was encrypted as ${object}`));
      });
      return stream;
    });
  }

  private get declared(): DeclaredKey[] {
    this.keys ??= [this.encryption, ...(this.encryption.former ?? [])].map((key) =>
      declaredKey(this.sdk, key, this.profile),
    );
    return this.keys;
  }

  private get current(): DeclaredKey {
    const [first] = this.declared;
    if (first === undefined) throw new RangeError("no key is declared");
    return first;
  }
}

const contextOf = (objectKey: string): Sdk.EncryptionContext => ({ product: NAMESPACE, object: objectKey });

const nameOf = (id: string) => (id.startsWith(FILE) ? `the key file of fingerprint ${id.slice(FILE.length)}` : id);

/** An object whose key is not there says nothing about the table: it stays. */
export function undeclaredKey(object: string, id: string): ArchiveError {
  const advice = "add it to archive.encryption, or to its former keys";
  return new ArchiveError(`${object} is encrypted with ${nameOf(id)}, and that key is not declared: ${advice}`);
}

function streamOf(open: (fail: (error: ArchiveError) => void) => Duplex): Duplex {
  // So that whoever reads it is told this, and not what the SDK makes of it a turn later.
  const stream: Duplex = open((error) => stream.destroy(error));
  // The SDK tells once more of a stream that the pipeline around it has given up by then.
  stream.on("error", () => undefined);
  return stream;
}

function declaredKey(sdk: typeof Sdk, key: ArchiveKey, profile: string | undefined): DeclaredKey {
  return "keyFile" in key ? fileKey(sdk, key.keyFile) : kmsKey(sdk, key.kmsKeyId, profile);
}

function fileKey(sdk: typeof Sdk, path: string): DeclaredKey {
  const key = readKey(path);
  const fingerprint = createHmac("sha256", key).update("pgpartition archive key").digest("hex").slice(0, 32);
  const keyring = new sdk.RawAesKeyringNode({
    keyNamespace: NAMESPACE,
    keyName: fingerprint,
    unencryptedMasterKey: key,
    wrappingSuite: sdk.RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
  });
  return { id: FILE + fingerprint, keyring: () => keyring };
}

/** @throws ArchiveError, which never holds anything of the file. */
function readKey(path: string): Uint8Array {
  const text = readText(path);
  if (!/^[0-9a-fA-F]{64}\s*$/.test(text))
    throw new ArchiveError(`${path} is no key: it holds 64 hexadecimal digits and nothing else (openssl rand -hex 32)`);
  // A memory of its own: the SDK refuses a piece of Node.js's shared pool.
  return Uint8Array.from(Buffer.from(text.trim(), "hex"));
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ArchiveError(`The key of archive.encryption cannot be read: ${reason}`, { cause: error });
  }
}

function kmsKey(sdk: typeof Sdk, arn: string, profile: string | undefined): DeclaredKey {
  const region = regionOfKey(arn);
  const kms = new sdk.KMS({ ...(region !== undefined && { region }), ...(profile !== undefined && { profile }) });
  const keyring = (fail: (error: ArchiveError) => void) => {
    const asked = async <T>(answer: Promise<T>): Promise<T> => {
      try {
        return await answer;
      } catch (error) {
        const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
        const advice =
          "check that the key is enabled, and that this role may use it (kms:GenerateDataKey, kms:Decrypt)";
        const refusal = new ArchiveError(`KMS key ${arn} of archive.encryption: ${reason} (${advice})`, {
          cause: error,
        });
        fail(refusal);
        await nextTurn();
        throw refusal;
      }
    };
    return new sdk.KmsKeyringNode({
      generatorKeyId: arn,
      clientProvider: () => ({
        generateDataKey: (request) => asked(kms.generateDataKey(request)),
        encrypt: (request) => asked(kms.encrypt(request)),
        decrypt: (request) => asked(kms.decrypt(request)),
      }),
    });
  };
  return { id: arn, keyring };
}

/** Loaded by who encrypts only. */
function loadSdk(): typeof Sdk {
  try {
    return require("@aws-crypto/client-node") as typeof Sdk;
  } catch (error) {
    throw missingLibrary("archive.encryption needs the AWS Encryption SDK", "@aws-crypto/client-node", error);
  }
}
