import assert from "node:assert/strict";
import { parseStore } from "../../../topology/archive";

describe("the URL of a store", () => {
  const READ: Record<string, ReturnType<typeof parseStore>> = {
    "file:///var/archive": { kind: "file", directory: "/var/archive" },
    "file:///var/with%20space": { kind: "file", directory: "/var/with space" },
    "s3://bucket": { kind: "s3", bucket: "bucket", prefix: "" },
    "s3://my.bucket-1/a/b/?region=eu-central-1": {
      kind: "s3",
      bucket: "my.bucket-1",
      prefix: "a/b",
      region: "eu-central-1",
    },
    "s3://bucket/p?endpoint=http://localhost:9000&pathStyle=false&profile=archive": {
      kind: "s3",
      bucket: "bucket",
      prefix: "p",
      endpoint: "http://localhost:9000",
      pathStyle: false,
      profile: "archive",
    },
  };
  for (const [text, location] of Object.entries(READ))
    it(`${text} is read`, () => {
      assert.deepEqual(parseStore(text), location);
    });

  const REFUSED: Record<string, RegExp> = {
    "/var/archive": /no URL/,
    "https://bucket.s3.amazonaws.com": /begins with https:/,
    "file:///": /root/,
    "file://host/share": /host/,
    "file:///var/archive?x=1": /parameters/,
    "s3:///prefix": /bucket/,
    "s3://bucket?regoin=x": /regoin/,
    "s3://bucket?pathStyle=yes": /true or false/,
    "s3://bucket?endpoint=localhost": /https?:/,
    "s3://key:secret@bucket": /credentials/,
  };
  for (const [text, reason] of Object.entries(REFUSED))
    it(`${text} is refused`, () => {
      assert.throws(() => parseStore(text), reason);
    });
});
