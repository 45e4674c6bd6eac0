-- The function behind messages.shard_id. It takes the pair in either direction, so that both directions of a
-- conversation have one shard_id. (PostgreSQL's own HASH bucket is something else: it depends on the direction.)
CREATE OR REPLACE FUNCTION public.calculate_shard_id(sender_id text, receiver_id text, num_shards integer DEFAULT 16)
RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
  SELECT ((('x' || left(md5(least(sender_id COLLATE "C", receiver_id COLLATE "C") || '|'
                         || greatest(sender_id COLLATE "C", receiver_id COLLATE "C")), 8))::bit(32)::bigint)
          % num_shards)::integer
$$;
