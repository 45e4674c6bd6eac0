/**
 * A stand-in for the extension aws_s3 of RDS and Aurora, which exists nowhere else: a function of the documented name and
 * arguments, which has COPY send the rows to a program that puts them into the S3 server of the tests.
 */
import { resolve } from "node:path";
import type { Client } from "pg";
import type { Lie, Order } from "../stand-ins/aws_s3/upload";
import type { S3Server } from "./s3";

const PROGRAM = resolve(__dirname, "../stand-ins/aws_s3/upload.ts");

/** As AWS's; here that cannot be seen in tests of less than a GB. */
const FILE_BYTES = 6 * 2 ** 30;

type Settings = Omit<Order, "bucket" | "key" | "answer">;

const INSTALL = `
CREATE SCHEMA aws_s3;
CREATE TABLE aws_s3.stand_in (settings jsonb);
CREATE FUNCTION aws_s3.query_export_to_s3(query text, bucket text, file_path text, region text DEFAULT NULL,
  options text DEFAULT NULL, kms_key text DEFAULT NULL,
  OUT rows_uploaded bigint, OUT files_uploaded bigint, OUT bytes_uploaded bigint) LANGUAGE plpgsql AS $$
DECLARE
  answer text := current_setting('data_directory') || '/aws_s3.' || pg_backend_pid();
  settings jsonb := (SELECT s.settings FROM aws_s3.stand_in s);
  told jsonb;
  order_ jsonb := settings || jsonb_build_object('bucket', bucket, 'key', file_path, 'answer', answer);
  program text := (settings->>'program') || ' ' || replace(encode(convert_to(order_::text, 'UTF8'), 'base64'), E'\\n', '');
BEGIN
  IF region <> settings->>'region' THEN RAISE EXCEPTION 'the bucket is not in %', region; END IF;
  EXECUTE format('COPY (%s) TO PROGRAM %L WITH (%s)', query, program, coalesce(options, 'format text'));
  GET DIAGNOSTICS rows_uploaded = ROW_COUNT;
  told := pg_read_file(answer)::jsonb;
  files_uploaded := told->>'files';
  bytes_uploaded := told->>'bytes';
  IF settings->>'lie' IN ('rows') THEN rows_uploaded := rows_uploaded + 1; END IF;
  IF settings->>'lie' = 'rowKept' THEN rows_uploaded := rows_uploaded - 1; END IF;
END $$`;

export class AwsS3StandIn {
  private constructor(
    private readonly client: Client,
    private settings: Settings,
  ) {}

  /** Gives a database the function. Its credentials are those of the environment. */
  static async install(client: Client, { endpoint, region }: S3Server, otherBucket: string): Promise<AwsS3StandIn> {
    const secret = process.env.AWS_SECRET_ACCESS_KEY ?? "";
    const standIn = new AwsS3StandIn(client, { endpoint, region, secret, otherBucket, fileBytes: FILE_BYTES });
    await client.query(INSTALL);
    await client.query("INSERT INTO aws_s3.stand_in VALUES ($1)", [standIn.told]);
    return standIn;
  }

  /** From now on it does otherwise than it says; undefined: as it says. */
  async lie(lie?: Lie): Promise<void> {
    await this.set({ lie });
  }

  /** From now on its files are so large. */
  async split(fileBytes: number): Promise<void> {
    await this.set({ fileBytes });
  }

  private async set(more: Partial<Settings>): Promise<void> {
    this.settings = { ...this.settings, ...more };
    await this.client.query("UPDATE aws_s3.stand_in SET settings = $1", [this.told]);
  }

  private get told(): string {
    return JSON.stringify({ ...this.settings, program: `'${process.execPath}' '${PROGRAM}'` });
  }
}
