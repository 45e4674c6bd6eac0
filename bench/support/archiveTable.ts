/** The table of `bench:archive`: a large January, and the months of the application after it. */
import type { Client } from "pg";

const TABLE = `
CREATE TABLE events (id bigint NOT NULL, created_at timestamptz NOT NULL, customer_id integer NOT NULL, kind text,
  payload jsonb, amount numeric(12, 2), PRIMARY KEY (id, created_at)) PARTITION BY RANGE (created_at);
CREATE TABLE events_2024_01 PARTITION OF events FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-02-01 00:00+00')`;

/** A row of some 150 bytes of text, of kinds of values that such tables have. */
const ROWS = `INSERT INTO events
  SELECT i, '2024-01-01 00:00+00'::timestamptz + i * interval '31 days' / ($1 + 1), i % 5003,
    (ARRAY['order', 'payment', 'refund'])[i % 3 + 1],
    jsonb_build_object('session', md5(i::text), 'path', '/shop/' || i % 977, 'agent', repeat('x', i % 40)), (i % 99999) / 7.0
  FROM generate_series(1, $1::integer) AS i`;

export async function fillJanuary(client: Client, rows: number): Promise<void> {
  await client.query(TABLE);
  await client.query(ROWS, [rows]);
  await client.query("VACUUM ANALYZE events");
}
