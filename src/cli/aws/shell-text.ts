import { BrokerError } from '../../../proxy/session.ts'

export const shells = ['bash', 'fish', 'powershell'] as const
export type Shell = (typeof shells)[number]

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
  switch (shell) {
    case 'bash':
      return value === undefined ? `unset ${name}` : `export ${name}='${value.replaceAll("'", "'\\''")}'`
    case 'fish':
      return value === undefined
        ? `set -e ${name}`
        : `set -gx ${name} '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
    case 'powershell':
      return value === undefined
        ? `Remove-Item Env:${name} -ErrorAction SilentlyContinue`
        : `$Env:${name} = '${value.replaceAll("'", "''")}'`
  }
}
