/** What programs import from `pulumi-pgpartition/aws`; apart, so that others need no @pulumi/aws. */
export { ArchiveBucket, type ArchiveBucketArgs, type ArchiveLock, type ArchiveTarget } from "./archiveBucket";
export { ArchiveTable, type ArchiveTableArgs, type ArchiveTableColumn } from "./archiveTable";
export type { ArchiveLifecycle, ArchiveStorageClass, Transition } from "./lifecycle";
export type { Ageing } from "./lifecycleRules";
export type { ArchiveRole } from "./policies";
