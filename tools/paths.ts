/** Where things are in this checkout. */
import { join, resolve } from "node:path";

/** The root of the checkout. */
export const CHECKOUT = resolve(__dirname, "..");

/** The programs of the installed npm packages, Node.js among them. */
export const NODE_PROGRAMS = join(CHECKOUT, "node_modules", ".bin");

/** The provider's executable is here. */
export const PROVIDER_BIN = join(CHECKOUT, "bin");

/** Everything the development environment keeps; git ignores it. */
export const DEV_ROOT = join(CHECKOUT, ".dev");
