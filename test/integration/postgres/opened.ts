/** What most tests of a suite need, opened and closed by hooks. */
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import type { TestDatabase, TestServer } from "../../support/postgres";
import { sessionsOn } from "./support";

export interface Opened {
  /** An empty one. */
  database: TestDatabase;
  /** A superuser's. */
  client: Client;
  /** The module's own; they connect when they are used. */
  sessions: Sessions;
}

/** Has each test of the suite begin with a database of its own, which `use` gets before the other hooks run. */
export function openForEachTest(server: () => TestServer, use: (opened: Opened) => void): void {
  let close = async () => {};
  beforeEach(async () => {
    close = await open(server(), use);
  });
  afterEach(() => close());
}

/** The same with one database for all tests of the suite. */
export function openForSuite(server: () => TestServer, use: (opened: Opened) => void): void {
  let close = async () => {};
  before(async () => {
    close = await open(server(), use);
  });
  after(() => close());
}

/** Gives what closes it again. */
async function open(server: TestServer, use: (opened: Opened) => void): Promise<() => Promise<void>> {
  const database = await server.createDatabase();
  const sessions = sessionsOn(database.connection);
  use({ database, sessions, client: await database.client() });
  return async () => {
    await sessions.close();
    await database.drop();
  };
}
