import { environment } from '../../../proxy/local/postgres/client-settings.ts'
import { BrokerError } from '../../../proxy/session.ts'
import { exitCodeOf } from '../output.ts'
import { type ConnectDeps, openConnections, warn } from './open-connections.ts'
import { runProgram } from './run-program.ts'
import { describeEnd } from './session-end.ts'
import { chooseTarget, listResources } from './target.ts'

/**
 * `sallyport psql`: a local port for as long as psql runs.
 * @returns psql's exit code; when it could not connect because the broker refused, the code for that
 */
export async function psql(
  deps: ConnectDeps,
  reference: string,
  args: readonly string[],
  options: { readonly level?: string; readonly database?: string },
): Promise<number> {
  const target = chooseTarget(await listResources(await deps.openApi()), reference, options.level, ['postgres'])
  await using cleanup = new AsyncDisposableStack()
  let refusal: BrokerError | undefined
  const [connection] = await openConnections(
    deps,
    [target],
    {
      port: 0,
      socket: false,
      password: true,
      database: options.database,
      onCut: (_, reason) => warn(`the session on ${target.name} was cut: ${describeEnd(reason)}`),
      onRefusal: (_, error) => {
        refusal = error // psql prints it
      },
    },
    cleanup,
  )
  if (!connection) throw new BrokerError('INTERNAL', 'no local port')
  const ours = { ...Object.fromEntries(environment(connection.settings)), PGAPPNAME: 'psql' }
  const code = await runProgram('psql', args, { ...keepHarmless(deps.env), ...ours }, installHint)
  return code === connectionFailed && refusal ? exitCodeOf(refusal.code) : code
}

const installHint =
  'install it: apt install postgresql-client, dnf install postgresql, brew install libpq; or use another client with: sallyport connect'

/** psql's own code: "2 if the connection to the server went bad and the session was not interactive". */
const connectionFailed = 2

/** Formats and encodings; every other PG variable could send psql, or the password, elsewhere. */
const harmless = new Set(['PGCLIENTENCODING', 'PGDATESTYLE', 'PGTZ', 'PGCONNECT_TIMEOUT', 'PGOPTIONS', 'PGLOCALEDIR'])

function keepHarmless(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^PG/i.test(name) || harmless.has(name)))
}
