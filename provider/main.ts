/** Entry point of the plugin process: the engine's address is the last argument, the port goes to standard output. */
import { ProviderProcess } from "./providerProcess";
import { serve } from "./server";

async function main(): Promise<void> {
  const engineAddress = process.argv
    .slice(2)
    .filter((argument) => !argument.startsWith("-"))
    .at(-1);
  if (engineAddress === undefined) {
    throw new Error(
      "pulumi-resource-pgpartition is started by the Pulumi engine, with the engine's address as its last argument.",
    );
  }
  const provider = new ProviderProcess(engineAddress);
  const { port } = await serve(provider);
  provider.exitWithEngine();
  process.stdout.write(`${port}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
