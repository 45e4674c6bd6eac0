/** Opening, pinning, sharing, losing and ending sessions. */
import assert from "node:assert/strict";
import { finished } from "node:stream/promises";
import { setTimeout as pause } from "node:timers/promises";
import { type Session, Sessions } from "../../../postgres/connection";
import { ConnectionError } from "../../../postgres/errors";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { carryOut, childrenOf, createFamily, oidOf, range, read, sessionsOn, step, withFamily } from "./support";

const SECRET = "not-the-passw0rd";

describeOnEachPostgres("sessions", (server) => {
  let database: TestDatabase;
  let sessions: Sessions;

  beforeEach(async () => {
    database = await server().createDatabase();
    sessions = sessionsOn(database.connection, { maxConnections: 2 });
  });
  afterEach(async () => {
    await sessions.close();
    await database.drop();
  });

  const pidOf = () =>
    sessions.withSession(async (session) => {
      const [row] = await session.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      assert.equal(row?.pid, session.pid);
      return session.pid;
    });

  it("are used again, but not after a failure", async () => {
    const first = await pidOf();
    assert.equal(await pidOf(), first);
    await assert.rejects(
      sessions.withSession((session) => session.query("SELECT nothing")),
      { code: "42703" },
    );
    assert.notEqual(await pidOf(), first);
  });

  it("are at most as many as allowed", async () => {
    const pids: number[] = [];
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const use = () =>
      sessions.withSession(async ({ pid }) => {
        pids.push(pid);
        if (pids.length === 2) bothEntered();
        await held;
      });
    let bothEntered: () => void = () => undefined;
    const both = new Promise<void>((resolve) => {
      bothEntered = resolve;
    });
    const uses = [use(), use(), use()];
    await both;
    await database.client();
    assert.equal(pids.length, 2, "the third one waits");
    release();
    await Promise.all(uses);
    assert.equal(new Set(pids).size, 2);
    assert.equal(pids.length, 3);
  });

  it("leave nothing of a transaction that fails", async () => {
    await sessions.withSession(async (session) => {
      const failing = session.transaction(async () => {
        await session.query("CREATE TABLE public.half ()");
        await session.query("SELECT nothing");
      });
      await assert.rejects(failing, { code: "42703" });
      assert.deepEqual(await session.query("SELECT to_regclass('public.half') AS half"), [{ half: null }]);
    });
  });

  it("work under whatever limits and defaults a role and a database have", async () => {
    const client = await database.client();
    await createFamily(client, { withDefault: true, out: true });
    const limits: Record<string, string> = {
      statement_timeout: "100ms",
      lock_timeout: "1ms",
      idle_in_transaction_session_timeout: "1ms",
      idle_session_timeout: "500ms",
      default_transaction_isolation: "serializable",
      default_transaction_deferrable: "on",
      row_security: "off",
      TimeZone: "Asia/Kolkata",
      DateStyle: "SQL, DMY",
      ...(server().major >= 17 ? { transaction_timeout: "100ms" } : {}),
    };
    for (const [name, value] of Object.entries(limits))
      await client.query(`ALTER DATABASE ${database.connection.database} SET ${name} = '${value}'`);
    const oid = await oidOf(client, "s.c1");
    const report = await carryOut(sessions, [
      step("guard", "d", { excludes: [range("20", "30")] }),
      step("likeAttach", "c2", { bound: range("20", "30"), after: ["guardDefault:d"] }),
      step("unguard", "d", { after: ["create:c2"] }),
      step("detachPlain", "c1", { oid }),
      step("dropTable", "c1", { oid, after: ["detach:c1"] }),
    ]);
    assert.deepEqual([report.done.length, report.failed], [5, []]);
    const [idle] = await sessions.withSession((session) =>
      session.query<{ limit: string }>("SELECT current_setting('idle_in_transaction_session_timeout') AS limit"),
    );
    assert.deepEqual(idle, { limit: "10s" }, "a machine that falls asleep in a transaction holds its locks no longer");
  });

  it("say in one line where, as whom and why there is none, without the password", async () => {
    const { host, port, user, database: name } = database.connection;
    const closed = { host, port: 1, username: user, database: name, password: SECRET };
    const cases: [Sessions, RegExp][] = [
      [new Sessions(closed, {}), /^Cannot connect to 127\.0\.0\.1:1\/test_\d+ as postgres: .*\(ECONNREFUSED\)$/],
      [new Sessions({ ...closed, port }, {}), /as postgres: password authentication failed .*\(SQLSTATE 28P01\)$/],
      [new Sessions({ ...closed, port, password: undefined }, {}), /No password is configured/],
      [
        new Sessions(
          { connectionString: `postgresql://postgres:${SECRET}@${host}:${port}/${name}?sslmode=require` },
          {},
        ),
        /does not support SSL/,
      ],
    ];
    for (const [attempt, expected] of cases) {
      await assert.rejects(
        attempt.withSession(async () => undefined),
        (error: Error) => {
          assert.ok(error instanceof ConnectionError);
          assert.match(error.message, expected);
          assert.ok(!error.message.includes(SECRET) && !error.message.includes("\n"));
          return true;
        },
      );
    }
    const missing = sessionsOn({ ...database.connection, database: "nowhere" });
    await assert.rejects(
      missing.withSession(async () => undefined),
      { code: "3D000" },
    );
  });

  it("come without encryption where sslmode allows that and the server has none", async () => {
    const { host, port, user, password, database: name } = database.connection;
    for (const sslmode of ["prefer", "allow", "disable"]) {
      const plain = new Sessions({ host, port, username: user, password, database: name, sslmode }, {});
      assert.ok((await plain.withSession(async ({ pid }) => pid)) > 0);
      await plain.close();
    }
  });

  it("end what they do when everything is cancelled", async () => {
    const client = await database.client();
    await client.query("SELECT pg_advisory_lock(1)");
    const waiting = sessions.withSession((session) => session.query("SELECT pg_advisory_lock(1)"));
    const outcome = assert.rejects(waiting, { code: "57014" });
    for (;;) {
      const { rows } = await client.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
      if (rows.length > 0) break;
    }
    await sessions.cancelAll();
    await outcome;
    await sessions.cancelAll();
    await assert.rejects(pidOf(), /are closed/);
  });

  it("that are ended between two statements say what ended them", async () => {
    const client = await database.client();
    await assert.rejects(
      sessions.withSession(async (session) => {
        await client.query("SELECT pg_terminate_backend($1)", [session.pid]);
        while (session.broken !== true) await pause(5);
        await session.query("SELECT 1");
      }),
      { code: "57P01" },
    );
  });

  it("that are ended before a COPY say what ended them, unless the other side of it has failed by itself", async () => {
    const client = await database.client();
    const failing = new Error("the store is full");
    const copies: [(session: Session) => Promise<unknown>, object][] = [
      [(session) => session.copyOut("COPY pg_am TO STDOUT", (text) => finished(text.resume())), { code: "57P01" }],
      [(session) => session.copyIn("COPY pg_am FROM STDIN", async (text) => finished(text.end())), { code: "57P01" }],
      [(session) => session.copyOut("COPY pg_am TO STDOUT", () => Promise.reject(failing)), failing],
      [(session) => session.copyIn("COPY pg_am FROM STDIN", () => Promise.reject(failing)), failing],
    ];
    for (const [copy, expected] of copies)
      await assert.rejects(
        sessions.withSession(async (session) => {
          await client.query("SELECT pg_terminate_backend($1)", [session.pid]);
          while (session.broken !== true) await pause(5);
          await copy(session);
        }),
        expected,
      );
  });

  it("that are lost in the middle of a run are told in its report", async () => {
    const client = await database.client();
    await createFamily(client, {});
    const locker = await database.client();
    await locker.query("BEGIN");
    await locker.query("LOCK TABLE s.c1 IN ACCESS EXCLUSIVE MODE");
    let killed: Promise<unknown> | undefined;
    const steps = [
      step("likeAttach", "c2", { bound: range("20", "30") }),
      step("detachPlain", "c1", { oid: await oidOf(client, "s.c1") }),
      step("likeAttach", "c3", { bound: range("30", "40") }),
    ];
    const report = await carryOut(sessions, steps, {
      onEvent: (event) => {
        if (event.type !== "waiting") return;
        killed ??= client.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pulumi-pgpartition' AND datname = current_database()",
        );
      },
    });
    await killed;
    await locker.query("COMMIT");
    assert.deepEqual(report.done, ["create:c2"]);
    assert.deepEqual(
      report.failed.map(({ step: id }) => id),
      ["detach:c1"],
    );
    assert.match(report.failed[0]?.error.reason ?? "", /session with the server was lost/);
    assert.deepEqual(
      report.skipped.map(({ step: id }) => id),
      ["create:c3"],
    );
    assert.equal((await childrenOf(client)).length, 3);
  });

  it("of two runs at the same time leave every partition made once", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions: shared }) => {
      const steps = [2, 3, 4].map((n) =>
        step("likeAttach", `c${n}`, { bound: range(`${n}0`, `${n}9`), transaction: 77 }),
      );
      const runs = await Promise.all([carryOut(shared, steps), carryOut(shared, steps)]);
      assert.deepEqual(
        runs.flatMap(({ failed }) => failed),
        [],
      );
      assert.deepEqual(runs.flatMap(({ done }) => done).sort(), ["create:c2", "create:c3", "create:c4"]);
      assert.equal((await childrenOf(client)).length, 5);
      assert.equal((await read(shared)).children.length, 5);
    }));
});
