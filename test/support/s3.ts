/**
 * A real S3 server for tests, over a directory, with versioning and object lock: one a test run, started when a suite
 * first needs it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { freePort } from "../../tools/ports";
import { errorMessage, logToStderr } from "../../tools/processes";
import { ensureS3Server } from "../../tools/s3";

const HOST = "127.0.0.1";
const REGION = "eu-central-1";
const POLL_MS = 20;

/** A running server, whose credentials are in the environment, where the AWS SDK finds them. */
export class S3Server {
  readonly region = REGION;
  readonly endpoint: string;
  readonly client: S3Client;
  private readonly root = mkdtempSync(join(process.env.PGPARTITION_TEST_ROOT ?? tmpdir(), "pgpartition-s3-"));
  private readonly secret = randomBytes(12).toString("hex");
  private child: ChildProcess | undefined;

  constructor(
    private readonly program: string,
    private readonly port: number,
  ) {
    this.endpoint = `http://${HOST}:${port}`;
    const credentials = { accessKeyId: "test", secretAccessKey: this.secret };
    this.client = new S3Client({ endpoint: this.endpoint, region: REGION, forcePathStyle: true, credentials });
    for (const directory of ["data", "versions"]) mkdirSync(join(this.root, directory));
    // However this process ends, but by a kill -9, which nobody hears.
    process.once("exit", () => {
      this.child?.kill("SIGKILL");
      rmSync(this.root, { recursive: true, force: true });
    });
  }

  /** Starts it, or brings it back with what it had, and returns when it answers. */
  async start(): Promise<void> {
    const listen = ["--port", `${HOST}:${this.port}`, "--region", REGION, "--quiet"];
    const root = ["--access", "test", "--secret", this.secret];
    const backend = ["posix", "--versioning-dir", join(this.root, "versions"), join(this.root, "data")];
    this.child = spawn(this.program, [...root, ...listen, ...backend], { stdio: "ignore" });
    // A run of tests may end while it is there.
    this.child.unref();
    while (!(await this.answers())) {
      if (this.child.exitCode !== null) throw new Error(`${this.program} ended with ${this.child.exitCode}`);
      await pause(POLL_MS);
    }
    const credentials = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: this.secret, AWS_REGION: REGION };
    Object.assign(process.env, credentials);
  }

  /** Ends it as a failing machine would. */
  async kill(): Promise<void> {
    this.child?.ref();
    const ended = this.child && once(this.child, "exit");
    this.child?.kill("SIGKILL");
    await ended;
  }

  /** It takes connections from now on, as the system does that, and answers nobody. */
  pause(): void {
    this.child?.kill("SIGSTOP");
  }

  /** It answers, also what it was asked meanwhile. */
  resume(): void {
    this.child?.kill("SIGCONT");
  }

  /** Makes a bucket with a name that no other test uses. */
  async createBucket({ versioned = false, lock = false } = {}): Promise<string> {
    const Bucket = `test-${randomBytes(6).toString("hex")}`;
    await this.client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: lock }));
    if (versioned) {
      const VersioningConfiguration = { Status: "Enabled" } as const;
      await this.client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
    }
    return Bucket;
  }

  /** Removes its objects; those of a versioned bucket stay as versions. */
  async emptyBucket(Bucket: string): Promise<void> {
    const { Contents = [] } = await this.client.send(new ListObjectsV2Command({ Bucket }));
    for (const { Key } of Contents) await this.client.send(new DeleteObjectCommand({ Bucket, Key }));
  }

  private answers(): Promise<boolean> {
    return this.client.send(new ListBucketsCommand()).then(
      () => true,
      () => false,
    );
  }
}

let shared: Promise<S3Server> | undefined;

/** The server of this run. @throws where its program cannot be had. */
export function sharedS3(): Promise<S3Server> {
  shared ??= startServer();
  return shared;
}

async function startServer(): Promise<S3Server> {
  const server = new S3Server(await ensureS3Server(logToStderr), await freePort(HOST));
  await server.start();
  return server;
}

/** Declares a suite that needs the server; where there is none, its tests are skipped and it says why. */
export function describeOnS3(title: string, suite: (server: () => S3Server) => void): void {
  describe(`${title} (S3 server)`, () => {
    let server: S3Server | undefined;
    before(async function () {
      this.timeout(0);
      try {
        await ensureS3Server(logToStderr);
      } catch (error) {
        logToStderr(`      skipped, since the S3 server cannot be had here: ${errorMessage(error)}`);
        this.skip();
      }
      server = await sharedS3();
    });
    suite(() => {
      if (server === undefined) throw new Error("server() is there in hooks and tests only");
      return server;
    });
  });
}
