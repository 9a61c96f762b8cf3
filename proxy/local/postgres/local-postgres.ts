import type { LocalProtocol } from '../local-protocol.ts'
import { localKeys } from './password.ts'
import { serveClient } from './serve-client.ts'

/** PostgreSQL clients of a local port. */
export const localPostgres: LocalProtocol = {
  name: 'postgres',
  socketName: (port) => `.s.PGSQL.${port}`,
  begin: (options) => {
    const keys = options.password === null ? null : localKeys(options.password)
    return (socket) => serveClient(socket, options, keys)
  },
}
