import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resolveSettings } from "../../../postgres/settings";

const NOWHERE = { HOME: "/nonexistent", USER: "me" };

describe("connection settings", () => {
  it("come from arguments, then the connection string, then the environment", () => {
    const environment = {
      ...NOWHERE,
      PGHOST: "env",
      PGPORT: "1",
      PGDATABASE: "envdb",
      PGUSER: "envuser",
      PGPASSWORD: "envpw",
    };
    const connectionString = "postgresql://u%40:p%2Fw@[::1]:2/db%20x?sslmode=disable&application_name=x";
    const seen = resolveSettings({ connectionString, port: 3 }, environment);
    const { host, port, database, user, password, tls } = seen;
    assert.deepEqual([host, port, database, user, password, tls], ["::1", 3, "db x", "u@", "p/w", [undefined]]);
    const fromEnvironment = resolveSettings({}, environment);
    assert.deepEqual([fromEnvironment.host, fromEnvironment.port, fromEnvironment.password], ["env", 1, "envpw"]);
    const nothing = resolveSettings({}, NOWHERE);
    assert.deepEqual([nothing.host, nothing.port, nothing.user, nothing.database], ["localhost", 5432, "me", "me"]);
  });

  it("reads keyword and value pairs", () => {
    const { host, password, database } = resolveSettings(
      { connectionString: String.raw`host = h dbname='my db' password='it\'s \\' sslmode=disable` },
      NOWHERE,
    );
    assert.deepEqual([host, password, database], ["h", String.raw`it's \ `.trim(), "my db"]);
  });

  it("refuses what it does not understand without repeating it", () => {
    const secret = "s3cret";
    for (const connectionString of [
      `postgresql://u:${secret}@h:notaport/db`,
      `postgresql://u:${secret}%@h/db`,
      `host=h ${secret}`,
      `host=h service=${secret}`,
    ]) {
      assert.throws(
        () => resolveSettings({ connectionString }, NOWHERE),
        (error: Error) => error instanceof RangeError && !error.message.includes(secret),
      );
    }
    assert.throws(() => resolveSettings({ sslmode: "no-verify" }, NOWHERE), /sslmode must be one of/);
    assert.throws(() => resolveSettings({ sslmode: "verify-full" }, NOWHERE), /needs sslrootcert/);
    assert.throws(() => resolveSettings({ sslmode: "require", sslcert: "/nonexistent" }, NOWHERE), /without sslkey/);
    assert.throws(
      () => resolveSettings({ sslmode: "require", sslrootcert: "/nonexistent" }, NOWHERE),
      /cannot be read/,
    );
  });

  it("means by sslmode what libpq means", () => {
    const ca = "-----BEGIN CERTIFICATE-----";
    const tls = (sslmode: string, sslrootcert?: string) =>
      resolveSettings({ sslmode, sslrootcert }, NOWHERE).tls.map(
        (attempt) => attempt && [attempt.rejectUnauthorized, attempt.checkServerIdentity !== undefined, attempt.ca],
      );
    assert.deepEqual(tls("disable"), [undefined]);
    assert.deepEqual(tls("allow"), [undefined, [false, true, undefined]]);
    assert.deepEqual(tls("prefer"), [[false, true, undefined], undefined]);
    assert.deepEqual(tls("require"), [[false, true, undefined]]);
    assert.deepEqual(tls("require", ca), [[true, true, ca]]);
    assert.deepEqual(tls("verify-ca", ca), [[true, true, ca]]);
    assert.deepEqual(tls("verify-full", ca), [[true, false, ca]]);
    assert.deepEqual(tls("verify-full", "system"), [[true, false, undefined]]);
  });

  it("finds the password in the password file, unless others can read it", () => {
    const directory = mkdtempSync(join(tmpdir(), "pgpass-"));
    const file = join(directory, "pgpass");
    try {
      writeFileSync(
        file,
        String.raw`# comment
other:*:*:*:wrong
h:5432:*:me:pa\:ss\\word
*:*:*:*:last
`,
      );
      chmodSync(file, 0o600);
      const environment = { ...NOWHERE, PGPASSFILE: file };
      assert.equal(resolveSettings({ host: "h" }, environment).password, String.raw`pa:ss\word`);
      assert.equal(resolveSettings({ host: "x" }, environment).password, "last");
      chmodSync(file, 0o640);
      assert.equal(resolveSettings({ host: "h" }, environment).password, undefined);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
