import { Option } from 'commander'
import type { WhoAmI } from '../../contract/identity.ts'
import type { Register } from '../cli.ts'
import { printJson, when } from '../output.ts'

interface LoginOptions {
  readonly server?: string
  readonly device?: boolean
  /** False with --no-browser. */
  readonly browser: boolean
  readonly fresh?: boolean
  readonly ca?: string
}

export const registerLogin: Register = (program) => {
  program
    .command('login')
    .description('sign in with your identity provider, in the browser')
    .option('--server <url>', 'broker to sign in to; remembered')
    .option('--device', 'sign in from a browser on another machine, with a code')
    .addOption(new Option('--no-browser', 'print the address instead of starting a browser').conflicts('device'))
    .option('--fresh', 'authenticate again, for rules that require a recent sign-in')
    .option('--ca <file>', "PEM file with the broker's CA; remembered")
    .action(async (options: LoginOptions) => {
      const { login } = await import('./login-actions.ts')
      await login({ ...options, server: options.server ?? program.opts<{ server?: string }>().server })
    })
  program
    .command('logout')
    .description('sign out on this machine')
    .action(async () => {
      const { logout } = await import('./login-actions.ts')
      await logout(program.opts())
    })
  program
    .command('whoami')
    .description('show who you are signed in as')
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const { openApiClient } = await import('./login-store.ts')
      const api = await openApiClient(program.opts())
      const me = await api.call('GET /api/v1/whoami')
      if (options.json) printJson(me)
      else await print(me, api.server)
    })
}

async function print(me: WhoAmI, server: string): Promise<void> {
  const { printLine } = await import('../output.ts')
  const lines = [
    ['name', me.principal.name],
    ['groups', me.principal.groups.join(', ') || '-'],
    ['roles', me.roles.join(', ')],
    ['signed in', me.authenticatedAt === 0 ? 'unknown' : when(me.authenticatedAt)],
    ['until', when(me.expiresAt)],
    ...(me.probed === false ? [['probed', 'no: the identity provider issued no refresh token']] : []),
    ['id', me.principal.id],
    ['server', server],
  ]
  for (const [label = '', value = ''] of lines) printLine(`${label.padEnd(10)} ${value}`)
}
