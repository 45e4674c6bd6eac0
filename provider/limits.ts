/** Limits of the gRPC channel to the engine. */

/** The engine's own limit for one message (400 MiB): a set of 10,000 partitions is far above gRPC's default of 4 MiB. */
export const MAX_MESSAGE_BYTES = 400 * 1024 * 1024;
