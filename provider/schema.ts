/** The package's schema, from which Pulumi generates the resources for other languages. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The package root, seen from `provider/` (sources) and from `dist/provider/` (the installed package). */
function packageFile(name: string): string {
  const root = join(__dirname, "..");
  try {
    return readFileSync(join(root, name), "utf8");
  } catch {
    return readFileSync(join(root, "..", name), "utf8");
  }
}

/** schema.json as GetSchema serves it. */
export function readSchema(): string {
  return packageFile("schema.json");
}

/** Version of this package, as `package.json` names it. */
export const VERSION: string = (JSON.parse(packageFile("package.json")) as { version: string }).version;
