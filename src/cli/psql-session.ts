import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { environment } from '../../proxy/local/client-settings.ts'
import { BrokerError } from '../../proxy/session.ts'
import { type ConnectDeps, connectKinds, openConnections, warn } from './open-connections.ts'
import { exitCodeOf } from './output.ts'
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
  const target = chooseTarget(await listResources(await deps.openApi()), reference, options.level, connectKinds)
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
  const code = await run('psql', args, { ...keepHarmless(deps.env), ...ours })
  return code === connectionFailed && refusal ? exitCodeOf(refusal.code) : code
}

/** psql's own code: "2 if the connection to the server went bad and the session was not interactive". */
const connectionFailed = 2

/** Formats and encodings; every other PG variable could send psql, or the password, elsewhere. */
const harmless = new Set(['PGCLIENTENCODING', 'PGDATESTYLE', 'PGTZ', 'PGCONNECT_TIMEOUT', 'PGOPTIONS', 'PGLOCALEDIR'])

function keepHarmless(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^PG/i.test(name) || harmless.has(name)))
}

/** Ctrl-C reaches psql from the terminal, which then cancels its statement; we must only not die of it. */
async function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(program, args, { stdio: 'inherit', env, shell: false })
  const passOn = (signal: NodeJS.Signals) => child.kill(signal)
  const ignore = () => {}
  process.on('SIGINT', ignore)
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, passOn)
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) =>
        reject(error.code === 'ENOENT' ? notInstalled(error) : error),
      )
      child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)))
    })
  } finally {
    process.off('SIGINT', ignore)
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.off(signal, passOn)
  }
}

function notInstalled(cause: Error): Error {
  const hint =
    'install it: apt install postgresql-client, dnf install postgresql, brew install libpq; or use any other client with: sallyport connect'
  return Object.assign(new Error('psql is not on the PATH', { cause }), { hint })
}
