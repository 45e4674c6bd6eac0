/** Rows of `messages`: both directions of many conversations. */
import type { Generator } from "../rows";

export const shardedMessageRows: Generator = {
  table: "public.messages",
  rows: 20_000,
  insert: `
    INSERT INTO public.messages (id, sender_id, receiver_id, content, created_at)
    SELECT md5('direct ' || n)::uuid, 'user-' || n % 997, 'user-' || (n * 31) % 991, 'message ' || n,
           ($3::timestamp - interval '30 days' + n * interval '2 minutes') AT TIME ZONE 'UTC'
      FROM generate_series($1::int, $2::int) AS n`,
};
