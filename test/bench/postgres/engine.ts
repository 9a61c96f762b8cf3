import { instances } from '../../sandbox/default-world.ts'
import { type Postgres, startPostgres } from '../../sandbox/postgres.ts'
import { isInstalled } from '../../sandbox/programs.ts'
import { startSandbox } from '../../sandbox/sandbox.ts'
import { measuredDatabases } from '../measured-databases.ts'
import { startPgBouncerPeer } from '../peers.ts'
import { run } from '../run-program.ts'
import type { Engine, RunningServer } from '../targets.ts'
import type { PostgresTarget } from './pgbench.ts'

const { endpoint } = instances.orders

export const postgres: Engine<PostgresTarget> = {
  protocol: 'postgres',
  endpoint,
  resource: 'orders',
  needs: { program: 'pgbench', install: 'postgresql-contrib' },
  start: async (closing, authority) => {
    const server = await startPostgres({ tcp: { tls: authority.issue([endpoint]) } })
    closing.defer(() => server.close())
    await fill(server)
    const sandbox = await startSandbox()
    closing.defer(() => sandbox.close())
    return { port: server.tcpPort ?? 0, sandbox, target: libpq }
  },
  configuration: (port, ca, level) => measuredDatabases({ names: ['orders'], port, ca, ...(level ? { level } : {}) }),
  portOf: ({ postgresPort }) => postgresPort,
  peer: async (options) =>
    isInstalled('pgbouncer') ? { name: 'PgBouncer', ...(await startPgBouncerPeer(options)) } : undefined,
}

const libpq: RunningServer<PostgresTarget>['target'] = (name, { pid, port }, _ca, login) => {
  const env = Object.fromEntries(Object.entries(process.env).filter(([variable]) => !variable.startsWith('PG')))
  const user = login?.user ?? 'sallyport_ro'
  const shared = { PGHOST: '127.0.0.1', PGPORT: `${port}`, PGUSER: user, PGDATABASE: 'orders', PGSSLMODE: 'require' }
  const variables = { ...env, ...shared, ...(login ? { PGPASSWORD: login.password } : {}) }
  return { name, env: variables, ...(pid === undefined ? {} : { pid }) }
}

async function fill(server: Postgres): Promise<void> {
  const env = { ...process.env, PGHOST: server.socketDir, PGPORT: `${server.tcpPort}`, PGUSER: 'postgres' }
  await run('pgbench', ['-i', '-q', '-s', '10', 'orders'], { env })
  await server.query('orders', 'grant select on all tables in schema public to sallyport_ro')
}
