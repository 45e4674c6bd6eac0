/** `npm run wasm`: compiles the WebAssembly of the row sums; a test sees to it that what is committed is its result. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { CHECKOUT } from "./paths";
import { errorMessage } from "./processes";

const SOURCE = "archive/wasm/rowSums.as.ts";
const COMPILED = "archive/wasm/compiled.ts";
const OPTIONS = ["-O3", "--runtime", "stub", "--noAssert", "--use", "abort=", "--initialMemory", "5"];

/** The text of the module that holds it. */
export async function compileRowSums(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pgpartition-wasm-"));
  try {
    const binary = join(directory, "rowSums.wasm");
    const compiler = join(CHECKOUT, "node_modules/assemblyscript/bin/asc.js");
    await promisify(execFile)(process.execPath, [compiler, SOURCE, ...OPTIONS, "-o", binary], { cwd: CHECKOUT });
    const lines = (await readFile(binary)).toString("base64").match(/.{1,110}/g) ?? [];
    const text = lines.map((line) => `  "${line}"`).join(" +\n");
    return `/** Made of rowSums.as.ts by \`npm run wasm\`. */\nexport const ROW_SUMS =\n${text};\n`;
  } finally {
    await rm(directory, { recursive: true });
  }
}

export const readCompiled = () => readFile(join(CHECKOUT, COMPILED), "utf8");

if (require.main === module)
  compileRowSums()
    .then((text) => writeFile(join(CHECKOUT, COMPILED), text))
    .catch((error: unknown) => {
      process.exitCode = 1;
      process.stderr.write(`${errorMessage(error)}\n`);
    });
