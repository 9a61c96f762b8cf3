import type { LocalProtocol } from '../local-protocol.ts'
import { mysqlSettings, socketName } from './client-settings.ts'
import { verifierOf } from './password.ts'
import { serveClient } from './serve-client.ts'
import { trySession } from './try-session.ts'

/** MySQL and MariaDB clients of a local port. */
export const localMysql: LocalProtocol = {
  name: 'mysql',
  usualPort: 3306,
  usualDatabase: '',
  settings: mysqlSettings,
  tellsOfEnd: false,
  socketName,
  begin: (options) => {
    const verifier = options.password === null ? null : verifierOf(options.password)
    return (socket) => serveClient(socket, options, verifier)
  },
  trySession: (ask, client) => trySession({ ...ask, protocol: 'mysql' }, client),
}
