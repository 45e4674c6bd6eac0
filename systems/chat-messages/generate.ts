/** Rows of `chat_messages`: the last months up to now, and every hundredth from before all windows (DEFAULT). */
import type { Generator } from "../rows";

export const chatMessageRows: Generator = {
  table: "public.chat_messages",
  rows: 30_000,
  before: `
    INSERT INTO public.users (id) SELECT md5('user ' || n)::uuid FROM generate_series(1, 200) AS n ON CONFLICT DO NOTHING;
    INSERT INTO public.tasks (id, user_id, title)
      SELECT md5('task ' || n)::uuid, md5('user ' || (1 + n % 200))::uuid, 'task ' || n
        FROM generate_series(1, 500) AS n ON CONFLICT DO NOTHING`,
  insert: `
    INSERT INTO public.chat_messages
      (user_id, task_id, session_id, message_id, role, content, actions, parse_degraded, tokens_used, model_name, id,
       created_at, updated_at)
    SELECT md5('user ' || (1 + n % 200))::uuid,
           CASE WHEN n % 3 = 0 THEN md5('task ' || (1 + n % 500))::uuid END,
           md5('session ' || (n / 20))::uuid,
           md5('message ' || n)::uuid::text,
           (ARRAY['user', 'assistant'])[1 + n % 2]::public.messagerole,
           'message ' || n || ': ' || repeat('lorem ipsum ', 1 + n % 12),
           CASE WHEN n % 10 = 0 THEN json_build_object('tool', 'search', 'n', n) END,
           n % 50 = 0, n % 700, (ARRAY['small', 'medium', 'large'])[1 + n % 3],
           md5('chat ' || n)::uuid, at, at
      FROM generate_series($1::int, $2::int) AS n,
           LATERAL (SELECT CASE WHEN n % 100 = 0 THEN timestamp '2023-01-01' + n * interval '10 minutes'
                                ELSE $3::timestamp - interval '60 days' + n * interval '3 minutes' END) AS t (at)`,
};
