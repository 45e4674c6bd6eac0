/** What an error of S3 means for an archive, and what to do about it. */
import { S3ServiceException } from "@aws-sdk/client-s3";
import { StoreError, type StoreFailure } from "../store";

/** By the name of an error, then by its status. */
export const FAILURES: Readonly<Record<string, StoreFailure>> = {
  NoSuchKey: "missing",
  NoSuchBucket: "missing",
  NoSuchVersion: "missing",
  NotFound: "missing",
  PreconditionFailed: "exists",
  ConditionalRequestConflict: "exists",
  InvalidObjectState: "frozen",
  QuotaExceeded: "full",
  EntityTooLarge: "full",
  BadDigest: "corrupt",
  XAmzContentChecksumMismatch: "corrupt",
  "403": "refused",
  "404": "missing",
  "405": "missing",
  "412": "exists",
  CredentialsProviderError: "refused",
  TokenProviderError: "refused",
  TimeoutError: "unreachable",
  RequestTimeout: "unreachable",
  SlowDown: "unreachable",
  "500": "unreachable",
  "502": "unreachable",
  "503": "unreachable",
  "504": "unreachable",
  "507": "full",
};

/** What to do, where more can be said than of every failure of that kind. */
const ADVICE: Readonly<Record<string, string>> = {
  NoSuchBucket: "there is no such bucket: make it, or correct archive.store",
  AccessDenied:
    "the role may not do this: attach the policy of ArchiveBucket for it (writer, restorer or auditor), and look for a " +
    "policy of the bucket, the KMS key or the organization that denies it",
  ...of(
    ["InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"],
    "these credentials are none of this store: check the variables AWS_… or the profile",
  ),
  ...of(
    ["ExpiredToken", "ExpiredTokenException", "RequestExpired"],
    "the session of these credentials is over: get new ones and run again, which goes on from what is there; those of a " +
      "profile with a role, SSO or credential_process are renewed while it runs",
  ),
  ...of(
    ["CredentialsProviderError", "TokenProviderError"],
    "there are no credentials: set AWS_PROFILE (or profile= in archive.store) or AWS_ACCESS_KEY_ID, or give the machine a role",
  ),
  RequestTimeTooSkewed: "the clock of this machine is wrong by more than 15 minutes: set it",
  ...of(
    ["PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"],
    "the bucket is in another region: write it into archive.store, ?region=…",
  ),
  ...of(
    ["SlowDown", "Throttling", "RequestLimitExceeded"],
    "S3 asks for fewer requests: try again later, or with a smaller archive.parallel",
  ),
  ...of(
    ["KMS.NotFoundException", "KMS.DisabledException", "KMS.KMSInvalidStateException"],
    "the KMS key of archive.kmsKeyId, of the bucket or of this object cannot be used: enable it, or name another one",
  ),
  InvalidRequest:
    "the bucket does not take what is declared: archive.retention needs one with object lock, archive.kmsKeyId a key that it allows",
  InvalidTag: "S3 does not take archive.tags as they are",
  "Region is missing":
    "nobody says in which region the bucket is: write it into archive.store, ?region=…, or set AWS_REGION",
  ENOTFOUND: "this host has no address: check region and endpoint of archive.store",
};

function of(names: readonly string[], advice: string): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, advice]));
}

/** `url`: of the object, or of the prefix that was listed. */
export function explainedError(url: string, error: unknown): StoreError {
  const reason = error instanceof Error ? `${nameOf(error)}: ${error.message}` : String(error);
  return new StoreError(failureOf(error), `${url}: ${reason}`, { cause: error, advice: ADVICE[keyOf(error)] });
}

/** The server has refused without saying why. */
export function isNameless(error: unknown): boolean {
  return error instanceof S3ServiceException && error.name === "Unknown";
}

function nameOf(error: Error): string {
  return isNameless(error) ? `HTTP ${statusOf(error)}` : error.name;
}

function statusOf(error: Error): string {
  return error instanceof S3ServiceException ? String(error.$metadata.httpStatusCode ?? "") : "";
}

function keyOf(error: unknown): string {
  const code = codeOf(error);
  if (code !== undefined && Object.hasOwn(ADVICE, code)) return code;
  if (!(error instanceof Error)) return "";
  // What the SDK itself refuses has no name.
  return error.name === "Error" ? error.message : error.name;
}

/** Of the operating system. */
function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^E[A-Z_]+$/.test(code) ? code : undefined;
}

/** Without an answer from the server (no credentials, no region, no network) the name or the code tells. */
function failureOf(error: unknown): StoreFailure {
  if (!(error instanceof Error)) return "refused";
  const named = FAILURES[error.name] ?? FAILURES[statusOf(error)];
  if (named !== undefined) return named;
  return codeOf(error) === undefined ? "refused" : "unreachable";
}
