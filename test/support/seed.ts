/**
 * Properties are tried with the same values in every run, so that what fails is what was changed.
 * `PGPARTITION_TEST_SEED` tries others.
 */
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env.PGPARTITION_TEST_SEED ?? 2026) });
