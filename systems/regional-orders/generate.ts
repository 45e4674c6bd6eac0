/** Rows of `sales.orders`; one region in ten is not declared. */
import type { Generator } from "../rows";

export const regionalOrderRows: Generator = {
  table: "sales.orders",
  rows: 10_000,
  insert: `
    INSERT INTO sales.orders (region, customer, amount, placed_at)
    SELECT (ARRAY['de', 'fr', 'it', 'us', 'ca', 'jp', 'kr', 'au', 'us', 'br'])[1 + n % 10], 'customer ' || n % 500,
           (1 + n % 9999) / 100.0,
           ($3::timestamp - interval '30 days' + n * interval '5 minutes') AT TIME ZONE 'UTC'
      FROM generate_series($1::int, $2::int) AS n`,
};
