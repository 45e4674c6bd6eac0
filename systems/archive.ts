/** Where old rows of an environment go. */
import type { ComponentResourceOptions, Input } from "@pulumi/pulumi";
import type { ArchivePlace } from "./environment";

/** Set by the development environment (`npm run -s dev:env`). */
export const DIRECTORY_VARIABLE = "PGPARTITION_ARCHIVE_DIR";

/**
 * The URL of the store; a bucket is part of the stack.
 * @throws when the directory is not said.
 */
export function storeOf(place: ArchivePlace, options: ComponentResourceOptions): Input<string> {
  if (place.in === "directory") return `file://${encodeURI(directory())}`;
  // Loaded where there is a bucket only: @pulumi/aws is large.
  const { ArchiveBucket } = require("../components/aws") as typeof import("../components/aws");
  const { moveAfterDays, expireAfterDays, lock } = place;
  const transitions =
    moveAfterDays === undefined ? [] : [{ afterDays: moveAfterDays, storageClass: "GLACIER_IR" as const }];
  return new ArchiveBucket("archive", { lifecycle: { transitions, expireAfterDays }, objectLock: lock }, options).store;
}

function directory(): string {
  const value = process.env[DIRECTORY_VARIABLE];
  if (value === undefined || value === "")
    throw new Error(
      `archive.in is directory, and ${DIRECTORY_VARIABLE} does not say which: eval "$(npm run -s dev:env)"`,
    );
  return value;
}
