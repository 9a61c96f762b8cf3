import { type Shell, shells, singleQuoted } from '../../../proxy/local/shell-quote.ts'
import { BrokerError } from '../../../proxy/session.ts'

/** @param named by `--shell`; else by `$SHELL`, and PowerShell on Windows */
export function chooseShell(named: string | undefined, env: NodeJS.ProcessEnv): Shell {
  if (named !== undefined) {
    const known = shells.find((shell) => shell === named)
    if (known) return known
    throw new BrokerError('INVALID_INPUT', `expected --shell ${shells.join(', ')}, got ${named}`)
  }
  if (/\bfish$/.test(env.SHELL ?? '')) return 'fish'
  return process.platform === 'win32' && env.SHELL === undefined ? 'powershell' : 'bash'
}

/** A command that sets a variable in a shell of this kind, or takes it away. */
export function setVariable(shell: Shell, name: string, value: string | undefined): string {
  const quoted = value === undefined ? undefined : singleQuoted(value, shell)
  switch (shell) {
    case 'bash':
      return quoted === undefined ? `unset ${name}` : `export ${name}=${quoted}`
    case 'fish':
      return quoted === undefined ? `set -e ${name}` : `set -gx ${name} ${quoted}`
    case 'powershell':
      return quoted === undefined ? `Remove-Item Env:${name} -ErrorAction SilentlyContinue` : `$Env:${name} = ${quoted}`
  }
}
