import { Command } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import { verbFirst } from './aws/words.ts'
import { exitCodes, fail } from './output.ts'

/** One module of src/cli adds its commands; what they do is imported only when they run, so that `--help` and caches stay fast. */
export type Register = (program: Command) => void

/** The whole command line; nothing is run. */
export function createProgram(registers: readonly Register[]): Command {
  const program = new Command('sallyport')
    .description('Access broker for AWS: sign in, request access, connect; every session is recorded and revocable')
    .version(manifest.version)
    .option('--server <url>', 'broker to use (default: the one you last signed in to)')
    .exitOverride()
    .enablePositionalOptions()
    .showHelpAfterError('(run with --help for usage)')
  for (const register of registers) register(program)
  return program
}

/** Parses argv and runs one command; resolves with the exit code of DESIGN: 0 done, 1 failed, 2 usage, 3 not logged in, 4 denied, 5 unreachable. */
export async function runCli(argv: readonly string[], registers: readonly Register[]): Promise<number> {
  try {
    await createProgram(registers).parseAsync([...verbFirst(argv)], { from: 'user' })
    return typeof process.exitCode === 'number' ? process.exitCode : exitCodes.done
  } catch (error) {
    return fail(error)
  }
}
