import { InvalidArgumentError, Option } from 'commander'
import type { Register } from '../cli.ts'
import { durationArgument } from '../duration.ts'
import type { ConnectOptions } from './connect-options.ts'

/** Of all protocols: each knows its own, but what speaks them is loaded later. */
const forms = ['psql', 'mysql', 'mariadb', 'url', 'jdbc', 'env', 'pgpass', 'service', 'my.cnf', 'dbeaver']

export const registerConnect: Register = (program) => {
  const command = program
    .command('connect <resource...>')
    .description('open a local port for any database client, until Ctrl-C or until the grant ends')
    .option('--level <level>', 'access level (default: the one you hold a grant for)')
    .option(
      '--port <number>',
      'local port of the first resource, counting up for the others (default: a free port)',
      toPort,
    )
    .addOption(
      new Option('--socket', 'open a Unix socket that only you can use, instead of a port').conflicts([
        'writePgpass',
        'token',
      ]),
    )
    .option('--no-password', 'do not require a password: every user of this machine can connect as you; audited')
    .addOption(new Option('--print <form>', 'format of the connection settings').choices(forms).conflicts('json'))
    .option('--write-pgpass', 'keep the password in your pgpass file until this command ends')
    .option('--database <name>', 'database to connect to (default: the one configured for the resource)')
    .option('--json', 'print JSON')
    .addOption(
      new Option(
        '--token',
        "issue a connect token for the broker's public TLS port instead of opening a local port",
      ).conflicts(['port', 'writePgpass']),
    )
    .option('--cidr <range>', 'addresses the token may be used from (with --token)')
    .option('--for <duration>', 'lifetime of the token, e.g. 2h (with --token)', durationArgument)
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
  if (!options.password && options.socket)
    return 'cannot use --no-password with --socket; a Unix socket needs no password'
  if (!options.password && options.writePgpass) return 'cannot use --no-password with --write-pgpass; drop one'
  if (!options.token && (options.cidr || options.for)) return 'cannot use --cidr or --for without --token'
  if (options.token && !options.password) return 'cannot use --no-password with --token; the token is the password'
  if (options.token && resources.length > 1) return '--token takes one resource; run the command once for each'
  if (options.port && options.port + resources.length - 1 > 65535)
    return `there are no ${resources.length} ports starting at ${options.port}`
  return undefined
}

export function toPort(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65535) throw new InvalidArgumentError('Expected 1-65535.')
  return port
}
