import type { LocalProtocol } from '../local-protocol.ts'
import { postgresSettings } from './client-settings.ts'
import { localKeys } from './password.ts'
import { addToPgpass, pgpassPath } from './pgpass.ts'
import { serveClient } from './serve-client.ts'
import { trySession } from './try-session.ts'

/** PostgreSQL clients of a local port. */
export const localPostgres: LocalProtocol = {
  name: 'postgres',
  usualPort: 5432,
  usualDatabase: 'postgres',
  settings: postgresSettings,
  tellsOfEnd: true,
  socketName: (port) => `.s.PGSQL.${port}`,
  begin: (options) => {
    const keys = options.password === null ? null : localKeys(options.password)
    return (socket) => serveClient(socket, options, keys)
  },
  trySession: (ask, { user, database }) =>
    trySession({ ...ask, protocol: 'postgres' }, { user, database, application_name: ask.tool }),
  passwordFile: {
    path: pgpassPath,
    add: (path, settings) =>
      addToPgpass(
        path,
        settings.map((entry) => ({ ...entry, password: entry.password ?? '' })),
      ),
  },
}
