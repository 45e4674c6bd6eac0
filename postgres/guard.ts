/** Name of the CHECK that keeps rows of coming partitions out of DEFAULT, or proves that there are none in it. */
export const GUARD_NAME = "pgpartition_guard";
