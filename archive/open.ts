/** From what a program declares of its archive to the store itself. */
import { type ArchiveSettings, parseStore } from "../topology/archive";
import { cipherOf } from "./encryption";
import type { ParquetOptions } from "./parquet/copy";
import type { QueryStore } from "./parquet/store";
import { FileStore } from "./stores/file";

const DAY_MS = 86_400_000;

/** `now` counts the days of object lock. The client of AWS is loaded for who has an archive there only: it is large. */
export function openStore(settings: ArchiveSettings, now: Date): QueryStore {
  const location = parseStore(settings.store);
  const profile = location.kind === "s3" ? location.profile : undefined;
  const cipher = settings.encryption && cipherOf(settings.encryption, profile);
  if (location.kind === "file") return new FileStore(location.directory, cipher);
  const { S3Store } = require("./stores/s3") as typeof import("./stores/s3");
  const { storageClass, kmsKeyId, tags, retention } = settings;
  const each = {
    ...(storageClass && { storageClass }),
    ...(kmsKeyId !== undefined && { encryption: "aws:kms" as const, kmsKeyId }),
    ...(tags && { tags }),
    ...(retention && {
      retention: { mode: retention.mode, until: new Date(now.getTime() + retention.days * DAY_MS) },
    }),
  };
  return new S3Store(location, each, cipher);
}

/** Where the Parquet copy goes, if one is declared. Object lock is for what nothing else can be made from. */
export function openParquet({ parquet, ...settings }: ArchiveSettings, now: Date): ParquetOptions | undefined {
  if (parquet === undefined) return undefined;
  const { store = settings.store, storageClass, columns } = parquet;
  return {
    store: openStore({ ...settings, store, storageClass, retention: undefined, encryption: undefined }, now),
    columns,
  };
}
