import { environment } from '../../../proxy/local/postgres/client-settings.ts'
import { exitCodeOf } from '../output.ts'
import { type ConnectDeps, openConnection } from './open-connections.ts'
import { runProgram } from './run-program.ts'
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
  const { connection, refusal } = await openConnection(deps, target, options.database, cleanup)
  const ours = { ...Object.fromEntries(environment(connection.settings)), PGAPPNAME: 'psql' }
  const code = await runProgram('psql', args, { ...keepHarmless(deps.env), ...ours }, installHint)
  const refused = refusal()
  return code === connectionFailed && refused ? exitCodeOf(refused.code) : code
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
