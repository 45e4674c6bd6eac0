/** `pulumi-resource-aws` of the tests: buckets on the S3 server that the AWS SDK's environment names. */
import { version } from "@pulumi/aws/package.json";
import { servePlugin } from "../plugin";
import { BUCKETS } from "./buckets";
import { KEPT } from "./kept";

servePlugin({ version, handlers: { ...BUCKETS, ...KEPT } });
