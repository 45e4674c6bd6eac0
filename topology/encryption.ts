/** Keys with which rows are encrypted before they leave for the archive, as a program declares them. Pure. */

/** A key of AWS KMS, or one in a file. */
export type ArchiveKey = { kmsKeyId: string } | { keyFile: string };

/** The key of new objects, and those that earlier ones can be read with. */
export type ArchiveEncryption = ArchiveKey & { former?: readonly ArchiveKey[] };

/** What names the key of an object says which one it is, and so it has to be the key itself: aliases move. */
const KMS_KEY_ARN = /^arn:aws[a-z-]*:kms:([a-z0-9-]+):\d{12}:key\/[A-Za-z0-9-]+$/;

/** The region of a KMS key; undefined: this is no ARN of one. */
export function regionOfKey(arn: string): string | undefined {
  return KMS_KEY_ARN.exec(arn)?.[1];
}
