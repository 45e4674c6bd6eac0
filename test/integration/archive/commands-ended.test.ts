/** `pgpartition archive …` that is killed or told to stop: nothing is half done, and the same command does the rest. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "pg";
import { exportPartition } from "../../../archive/export";
import { FileStore } from "../../../archive/stores/file";
import { Sessions } from "../../../postgres/connection";
import { startCommand } from "../../support/kills";
import { describeOnNewest, type TestDatabase } from "../../support/postgres";
import { archive, optionsOf } from "./commands";
import { changeRows, EVENTS, january, keysIn, originOf, PART_BLOCKS } from "./support";

const JANUARY = "public.events_2024_01";
const CONDITION = "id % 7 = 0";
const OWN = "application_name = 'pgpartition archive'";
const LOCKED = `SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND ${OWN}`;
const copying = (pattern: string) =>
  `SELECT FROM pg_stat_activity WHERE state <> 'idle' AND query LIKE '${pattern}' AND ${OWN}`;
/** Of some 400 kB: rows are on their way for many seconds. */
const SLOW = 20_000;

const EXPORT = ["export", "events", "events_2024_01"];
const RESTORE = ["restore", "events_2024_01"];
const SOME = [...RESTORE, "--into", "audit.some", "--where", CONDITION];
const VERIFY = ["verify", "events_2024_01"];

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  err: string;
}

describeOnNewest("archive commands that are ended", (server) => {
  let database: TestDatabase;
  let client: Client;
  let directory: string;
  let store: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    store = join(directory, "store");
    database = await server().createDatabase();
    client = await database.client();
    await client.query(`${EVENTS}; CREATE SCHEMA audit`);
  });
  afterEach(async () => {
    await database.drop();
    await rm(directory, { recursive: true });
  });

  /** In several parts. */
  async function exported(): Promise<void> {
    const { user: username, ...rest } = database.connection;
    const sessions = new Sessions({ ...rest, username });
    await sessions.withSession(async (session) =>
      exportPartition(session, await january(session), {
        store: new FileStore(store),
        origin: await originOf(session),
        partBlocks: PART_BLOCKS,
      }),
    );
    await sessions.close();
  }

  const ofStore = (args: readonly string[]) => [...args, "--store", `file://${store}`];
  const start = (args: readonly string[], env: Record<string, string> = {}) =>
    startCommand(["archive", ...ofStore(args), ...optionsOf(database.connection)], {
      PGPASSWORD: database.connection.password,
      ...env,
    });
  async function finish(args: readonly string[]): Promise<void> {
    const { status, err } = await archive(ofStore(args), database.connection);
    assert.equal(status, 0, err);
  }
  const contentOf = async (table: string, where = "true") => {
    const sql = `SELECT count(*)::int AS n, md5(string_agg(t::text, ',' ORDER BY id)) AS hash FROM ${table} AS t WHERE ${where}`;
    return (await client.query(sql)).rows[0];
  };
  const isArchived = async () => {
    await finish([...VERIFY, "--compare"]);
    assert.equal((await keysIn(store)).filter((key) => key.endsWith("manifest.json")).length, 1);
  };
  const isRestored = async () => {
    assert.deepEqual(await contentOf(`${JANUARY}_restored`), await contentOf(JANUARY));
  };
  const someAreRestored = async () => {
    assert.deepEqual(await contentOf("audit.some"), await contentOf(JANUARY, CONDITION));
  };
  const reset = async () => {
    await client.query(`DROP TABLE IF EXISTS ${JANUARY}_restored, audit.some`);
  };

  const KILLED = [
    { title: "an export", args: EXPORT, points: ["archive"], done: isArchived, least: 6 },
    { title: "a restore", args: RESTORE, points: ["archive", "beforeCommit"], done: isRestored, least: 4 },
    {
      title: "a restore into another schema with a condition",
      args: SOME,
      points: ["archive", "beforeCommit"],
      done: someAreRestored,
      least: 4,
    },
  ];
  for (const { title, args, points, done, least } of KILLED)
    for (const point of points)
      it(`${title} goes on where it was killed, at every point of kind ${point}`, async () => {
        if (args !== EXPORT) await exported();
        let killed = true;
        for (let hit = 1; killed; hit += 1) {
          if (args === EXPORT) await rm(store, { recursive: true, force: true });
          await reset();
          const { code, signal, err } = await endOf(start(args, { PGPARTITION_FAULT: `${point}:${hit}` }));
          killed = signal === "SIGKILL";
          assert.ok(killed || (code === 0 && hit > least), `${code ?? signal} at ${hit}: ${err}`);
          await finish(args);
          await done();
        }
      });

  const slowly = async () => {
    const settings = join(directory, "settings.json");
    await writeFile(settings, JSON.stringify({ bytesPerSecond: SLOW }));
    return ["--settings", settings];
  };
  const rate = async () => ["--rate", String(SLOW)];
  const meets = (sql: string) => async () => {
    while ((await client.query(`SELECT EXISTS (${sql}) AS met`)).rows[0]?.met !== true) await pause(5);
  };

  const STOPPED = [
    {
      title: "an export that copies",
      args: EXPORT,
      more: slowly,
      reached: copying("COPY % TO STDOUT%"),
      done: isArchived,
    },
    {
      title: "a restore that fills",
      args: RESTORE,
      more: rate,
      reached: copying("COPY % FROM STDIN%"),
      done: isRestored,
    },
    {
      title: "a restore of some rows",
      args: SOME,
      more: rate,
      reached: copying("COPY % FROM STDIN%"),
      done: someAreRestored,
    },
    { title: "an export that waits for a lock", args: EXPORT, locks: JANUARY, reached: LOCKED, done: isArchived },
    { title: "a comparison that waits for a lock", args: VERIFY, locks: JANUARY, reached: LOCKED, done: isArchived },
  ];
  for (const [at, { title, args, more, locks, reached, done }] of STOPPED.entries()) {
    const [signal, status] = (
      [
        ["SIGINT", 130],
        ["SIGTERM", 143],
      ] as const
    )[at % 2]!;
    it(`${title} ends in order on ${signal}`, async () => {
      if (args !== EXPORT) await exported();
      // Rows that nobody has changed, as PostgreSQL's counters tell, are not compared.
      if (args === VERIFY) await changeRows(database, "UPDATE events SET payload = payload WHERE id < 10");
      const other = await database.client();
      if (locks !== undefined) await other.query(`BEGIN; LOCK TABLE ${locks} IN ACCESS EXCLUSIVE MODE`);
      const child = start([...args, ...((await more?.()) ?? [])]);
      const end = endOf(child);
      await meets(reached)();
      child.kill(signal);
      const ended = await end;
      assert.deepEqual([ended.code, ended.signal], [status, null], ended.err);
      assert.match(ended.err, new RegExp(`Stopped by ${signal}\\. .*the same command`));
      await meets(`SELECT WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE ${OWN})`)();
      await other.query("ROLLBACK");
      if (args === EXPORT) assert.deepEqual(await leftIn(store), []);
      await finish(args);
      await done();
    });
  }

  it("a verification that reads ends in order on SIGINT, and grades nothing", async () => {
    await exported();
    const child = start([...VERIFY, ...(await rate())]);
    const end = endOf(child);
    await said(child, /verified 0 of 1/);
    child.kill("SIGINT");
    const { code, signal, err } = await end;
    assert.deepEqual([code, signal], [130, null], err);
    await finish(VERIFY);
  });

  it("ends at once on a second signal, while the store does not answer", async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    try {
      const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
      const child = startCommand(
        ["archive", ...VERIFY, "--store", `s3://bucket?region=eu-central-1&endpoint=${encodeURIComponent(endpoint)}`],
        { AWS_ACCESS_KEY_ID: "nobody", AWS_SECRET_ACCESS_KEY: "nothing" },
      );
      const end = endOf(child);
      await once(silent, "request");
      child.kill("SIGTERM");
      await said(child, /Once more/);
      child.kill("SIGINT");
      assert.equal((await end).signal, "SIGINT");
    } finally {
      silent.closeAllConnections();
      silent.close();
    }
  });
});

async function endOf(child: ChildProcess): Promise<Ended> {
  let err = "";
  child.stderr?.on("data", (text: Buffer) => {
    err += text.toString();
  });
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { code, signal, err };
}

/** Resolves when the command has said it. */
async function said(child: ChildProcess, what: RegExp): Promise<void> {
  let text = "";
  return new Promise((resolve, reject) => {
    child.on("close", () => reject(new Error(`It ended and has said: ${text}`)));
    child.stderr?.on("data", (piece: Buffer) => {
      text += piece.toString();
      if (what.test(text)) resolve();
    });
  });
}

/** What is neither a whole object nor anything of somebody else's. */
async function leftIn(store: string): Promise<string[]> {
  const names = await readdir(store, { recursive: true }).catch(() => []);
  return names.filter((name) => name.endsWith(".unfinished") || name.endsWith("manifest.json"));
}
