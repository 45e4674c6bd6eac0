-- What the application's own migrations (Prisma) have made: enum types and the tables that messages belong to.
DO $$
BEGIN
  IF to_regtype('public."MessageDirection"') IS NULL THEN
    CREATE TYPE public."MessageDirection" AS ENUM ('inbound', 'outbound');
  END IF;
  IF to_regtype('public."QueueStatus"') IS NULL THEN
    CREATE TYPE public."QueueStatus" AS ENUM ('pending', 'sent', 'failed');
  END IF;
END
$$;

CREATE TABLE IF NOT EXISTS public."Church" (
  "id" text PRIMARY KEY,
  "name" text NOT NULL
);

CREATE TABLE IF NOT EXISTS public."Conversation" (
  "id" text PRIMARY KEY,
  "churchId" text NOT NULL REFERENCES public."Church" ("id") ON DELETE CASCADE,
  "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
