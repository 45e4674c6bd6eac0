/** What describing a table takes besides the table: the server's present, and the zones whose midnights borders may be. */
import type { DescribeOptions } from "../topology/describe/model";
import type { Session } from "./connection";

/** The session's own zone is pinned to UTC; what it would have been is the database's. */
export async function readDescribeOptions(session: Session): Promise<DescribeOptions> {
  const [row] = await session.query<{ now: string; zone: string }>(
    `SELECT pg_catalog.date_trunc('second', pg_catalog.now())::text AS now,
       (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'TimeZone') AS zone`,
  );
  if (row === undefined) throw new Error("The server did not say what time it is.");
  return { now: row.now, timezones: [row.zone, "UTC", ...COMMON, ...Intl.supportedValuesOf("timeZone")] };
}

/** Of several zones with the same midnights people mostly mean one of these. */
const COMMON = [
  "America/New_York",
  "America/Chicago",
  "America/Denver",
  "America/Los_Angeles",
  "America/Sao_Paulo",
  "Europe/London",
  "Europe/Berlin",
  "Europe/Helsinki",
  "Europe/Istanbul",
  "Asia/Kolkata",
  "Asia/Shanghai",
  "Asia/Tokyo",
  "Australia/Sydney",
  "Pacific/Auckland",
];
