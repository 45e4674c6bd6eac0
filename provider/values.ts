/** Property bags between the engine's protobuf structs and plain JavaScript values. */
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { UNKNOWN } from "../topology/unknown";

/** The engine's wire form of a value that is not known yet (Pulumi SDK, `runtime.unknownValue`). */
const UNKNOWN_ON_THE_WIRE = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
/** Key and value that mark an envelope, and the mark of a secret (Pulumi SDK, `specialSigKey`, `specialSecretSig`). */
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";

export type Properties = Record<string, unknown>;

/** A decoded property bag: plain values, and which top-level properties held a secret anywhere inside. */
export interface Decoded {
  values: Properties;
  secrets: ReadonlySet<string>;
}

/** Decodes a struct; secrets are unwrapped and remembered, unknown values become `UNKNOWN`. */
export function decode(struct: Struct | undefined): Decoded {
  const secrets = new Set<string>();
  const values: Properties = {};
  for (const [key, wire] of Object.entries(struct?.toJavaScript() ?? {})) {
    values[key] = decodeValue(wire, () => secrets.add(key));
  }
  return { values, secrets };
}

function decodeValue(wire: unknown, onSecret: () => void): unknown {
  if (wire === UNKNOWN_ON_THE_WIRE) return UNKNOWN;
  if (Array.isArray(wire)) return wire.map((item) => decodeValue(item, onSecret));
  if (!isRecord(wire)) return wire;
  if (wire[SIGNATURE] === SECRET) {
    onSecret();
    return decodeValue(wire.value, onSecret);
  }
  return Object.fromEntries(Object.entries(wire).map(([key, value]) => [key, decodeValue(value, onSecret)]));
}

/** Encodes plain values; the named top-level properties are wrapped as secrets, so that state holds them encrypted. */
export function encode(values: Properties, secrets: ReadonlySet<string> = new Set()): Struct {
  const wire: Properties = {};
  for (const [key, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const plain = encodeValue(value);
    wire[key] = secrets.has(key) ? { [SIGNATURE]: SECRET, value: plain } : plain;
  }
  return Struct.fromJavaScript(wire as Parameters<typeof Struct.fromJavaScript>[0]);
}

function encodeValue(value: unknown): unknown {
  if (value === UNKNOWN) return UNKNOWN_ON_THE_WIRE;
  if (value === undefined) return null;
  if (Array.isArray(value)) return value.map(encodeValue);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, encodeValue(item)]),
  );
}

export function isRecord(value: unknown): value is Properties {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Equality by value of plain data. Key order does not matter. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameValue(item, b[index]));
  }
  if (!isRecord(a) || !isRecord(b)) return false;
  const keys = Object.keys(a).filter((key) => a[key] !== undefined);
  const others = Object.keys(b).filter((key) => b[key] !== undefined);
  return keys.length === others.length && keys.every((key) => sameValue(a[key], b[key]));
}
