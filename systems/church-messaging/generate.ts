/** Rows of `ConversationMessage` (the last two months up to now) and `MessageQueue` (the last days and the coming one). */
import type { Generator } from "../rows";

const CONVERSATIONS = `
  INSERT INTO public."Church" ("id", "name")
    SELECT 'church' || n, 'Church ' || n FROM generate_series(1, 20) AS n ON CONFLICT DO NOTHING;
  INSERT INTO public."Conversation" ("id", "churchId")
    SELECT 'conversation' || n, 'church' || (1 + n % 20) FROM generate_series(1, 400) AS n ON CONFLICT DO NOTHING`;

export const conversationMessageRows: Generator = {
  table: 'public."ConversationMessage"',
  rows: 30_000,
  before: CONVERSATIONS,
  insert: `
    INSERT INTO public."ConversationMessage" ("id", "conversationId", "direction", "content", "status", "createdAt")
    SELECT 'c' || md5('conversation message ' || n), 'conversation' || (1 + n % 400),
           (ARRAY['inbound', 'outbound'])[1 + n % 2]::public."MessageDirection",
           'Message ' || n, (ARRAY['sent', 'delivered', 'read'])[1 + n % 3],
           $3::timestamp - interval '60 days' + n * interval '3 minutes'
      FROM generate_series($1::int, $2::int) AS n`,
};

export const messageQueueRows: Generator = {
  table: 'public."MessageQueue"',
  rows: 10_000,
  insert: `
    INSERT INTO public."MessageQueue" ("id", "churchId", "payload", "status", "attempts", "createdAt")
    SELECT 'q' || md5('queued ' || n), 'church' || (1 + n % 20), jsonb_build_object('n', n),
           (ARRAY['sent', 'sent', 'sent', 'failed', 'pending'])[1 + n % 5]::public."QueueStatus", n % 3,
           $3::timestamp - interval '10 days' + n * interval '90 seconds'
      FROM generate_series($1::int, $2::int) AS n`,
};
