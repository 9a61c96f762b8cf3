import { InvalidArgumentError, Option } from 'commander'
import type { SettingsForm } from '../../../proxy/local/postgres/client-settings.ts'
import type { Register } from '../cli.ts'
import { durationArgument } from '../duration.ts'
import type { ConnectOptions } from './connect-options.ts'

const forms: readonly SettingsForm[] = ['psql', 'url', 'jdbc', 'env', 'pgpass', 'service']

export const registerConnect: Register = (program) => {
  const command = program
    .command('connect <resource...>')
    .description('open a local port for any client, until Ctrl-C or until the grant ends')
    .option('--level <level>', 'access level (default: the one you hold a grant for)')
    .option(
      '--port <number>',
      'local port of the first resource, the next ones count up (default: any free one)',
      toPort,
    )
    .addOption(
      new Option('--socket', 'a Unix socket that only you can open, instead of a port').conflicts([
        'writePgpass',
        'token',
      ]),
    )
    .option('--no-password', 'ask clients for no password: everyone on this machine may connect as you; audited')
    .addOption(new Option('--print <form>', 'how to say it').choices(forms).conflicts('json'))
    .option('--write-pgpass', 'put the password into your pgpass file until this command ends')
    .option('--database <name>', 'database (default: the one the resource names)')
    .option('--json', 'print JSON')
    .addOption(
      new Option('--token', "a connect token for the broker's own TLS port, instead of a local one").conflicts([
        'port',
        'writePgpass',
      ]),
    )
    .option('--cidr <range>', 'with --token: where it may be used from')
    .option('--for <duration>', 'with --token: how long it may be used, e.g. 2h', durationArgument)
    .action(async (resources: string[], options: ConnectOptions) => {
      const conflict = findConflict(resources, options)
      if (conflict) command.error(`error: ${conflict}`)
      const { untilStopped, withDeps } = await import('./connect-deps.ts')
      const { issueToken } = await import('./connect-token.ts')
      const { connect } = await import('./connect-session.ts')
      process.exitCode = await withDeps(program.opts(), (deps) =>
        options.token
          ? issueToken(deps, resources[0] ?? '', options)
          : untilStopped((signal) => connect({ ...deps, signal }, resources, options)),
      )
    })
}

/** What commander's own `conflicts` can't say. */
function findConflict(resources: readonly string[], options: ConnectOptions): string | undefined {
  if (!options.password && options.socket) return 'cannot use --no-password with --socket; a Unix socket asks for none'
  if (!options.password && options.writePgpass) return 'cannot use --no-password with --write-pgpass; drop one'
  if (!options.token && (options.cidr || options.for)) return 'cannot use --cidr or --for without --token'
  if (options.token && !options.password) return 'cannot use --no-password with --token; the token is the password'
  if (options.token && resources.length > 1) return '--token is for one resource; run the command for each'
  if (options.port && options.port + resources.length - 1 > 65535)
    return `no ${resources.length} ports from ${options.port} on`
  return undefined
}

export function toPort(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65535) throw new InvalidArgumentError('Expected 1-65535.')
  return port
}
