-- What the application's own migrations (Alembic) have made: the enum type and the tables that chat_messages references.
DO $$
BEGIN
  IF to_regtype('public.messagerole') IS NULL THEN
    CREATE TYPE public.messagerole AS ENUM ('user', 'assistant', 'system', 'tool');
  END IF;
END
$$;

CREATE TABLE IF NOT EXISTS public.users (
  id uuid PRIMARY KEY,
  created_at timestamp NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.tasks (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES public.users (id),
  title text NOT NULL
);
