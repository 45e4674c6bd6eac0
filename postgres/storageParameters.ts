/** Storage as CREATE TABLE takes it. */
import type { TierStorage } from "../topology/tierStorage";
import { quoteIdent, quoteLiteral } from "./identifiers";

/** `fillfactor` or `toast.autovacuum_enabled`, quoted part by part. */
export function parameterName(name: string): string {
  return name.split(".").map(quoteIdent).join(".");
}

/** ` USING … WITH (…) TABLESPACE …`, as far as something is declared or the parent has it. */
export function storageClauses(storage: TierStorage): string {
  const { accessMethod, tablespace, parameters = {} } = storage;
  const list = Object.entries(parameters).map(([name, value]) => `${parameterName(name)} = ${quoteLiteral(value)}`);
  return [
    accessMethod === undefined ? "" : ` USING ${quoteIdent(accessMethod)}`,
    list.length === 0 ? "" : ` WITH (${list.join(", ")})`,
    tablespace === undefined ? "" : ` TABLESPACE ${quoteIdent(tablespace)}`,
  ].join("");
}
