import { runCli } from '../../../src/cli/cli.ts'
import { registerLock } from '../../../src/cli/lock.ts'
import { registerLogin } from '../../../src/cli/login.ts'
import { registerTokens } from '../../../src/cli/tokens.ts'

/** The command of this part alone, as a process of its own. */
process.exitCode = await runCli(process.argv.slice(2), [registerLogin, registerTokens, registerLock])
