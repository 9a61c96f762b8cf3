#!/usr/bin/env node
import { useProxyEnvironment } from '../proxy/proxy-environment.ts'
import { readHelperAsk } from './cli/aws/words.ts'
import { endAtBrokenPipe } from './cli/broken-pipe.ts'

endAtBrokenPipe()
process.exitCode = await run(process.argv.slice(2))

/** Programs that wait for `credential-process` don't wait for the rest of the command line to load. */
async function run(argv: readonly string[]): Promise<number> {
  useProxyEnvironment(process.env)
  const ask = readHelperAsk(argv)
  if (ask) return await (await import('./cli/aws/credential-process.ts')).credentialProcess(ask)
  const [{ runCli }, { registers }] = await Promise.all([import('./cli/cli.ts'), import('./cli/registers.ts')])
  return await runCli(argv, registers)
}
