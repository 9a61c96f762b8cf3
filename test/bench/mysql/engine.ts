import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Leaf } from '../../sandbox/certificates.ts'
import { mysqlInstances } from '../../sandbox/default-world.ts'
import { addPamService, pamSettings, signInByPam } from '../../sandbox/mysql/pam.ts'
import { isInstalled } from '../../sandbox/programs.ts'
import { mysqlOf, startSandbox } from '../../sandbox/sandbox.ts'
import { measuredShop } from '../measured-databases.ts'
import { startHaproxyPeer, writeShared } from '../peers.ts'
import type { Engine, RunningServer } from '../targets.ts'
import { type MySqlTarget, prepare } from './sysbench.ts'

const { endpoint } = mysqlInstances.shop
const database = 'orders'

/** MariaDB asks for the token by mysql_clear_password, as RDS does, and PAM takes whatever comes. */
export const mysql: Engine<MySqlTarget> = {
  protocol: 'mysql',
  endpoint,
  resource: 'shop',
  needs: { program: 'sysbench', install: 'sysbench' },
  start: async (closing, authority, ca) => {
    const service = addPamService(['auth required pam_permit.so', 'account required pam_permit.so'])
    closing.defer(() => service.remove())
    const shared = writeShared('bench-mysql', { ca: authority.cert }, 'mysql')
    const settings = [...pamSettings, `ssl-ca=${shared.ca}`] // sysbench shows a certificate of its own
    const sandbox = await startSandbox({ mysql: { tcp: { tls: authority.issue([endpoint]) }, settings } })
    closing.defer(() => sandbox.close())
    const { mariadb } = mysqlOf(sandbox)
    const port = mariadb.tcpPort ?? 0
    const target = clientsIn(sandbox.dir, authority.issue(['sysbench'], { of: 'client' }))
    await prepare(target('filling', { port }, ca, { user: 'sallyport_rw', password: mariadb.password }))
    await signInByPam(mariadb, service.name)
    return { port, sandbox, target }
  },
  configuration: (port, ca, level) => measuredShop({ port, ca, ...(level ? { level } : {}) }),
  portOf: ({ mysqlPort }) => mysqlPort,
  peer: async (options) =>
    isInstalled('haproxy', '-v') ? { name: 'HAProxy', ...(await startHaproxyPeer(options)) } : undefined,
}

/** @param dir temporary */
function clientsIn(dir: string, own: Leaf): RunningServer<MySqlTarget>['target'] {
  return (name, { pid, port }, ca, { user, password } = { user: 'sallyport_ro', password: 'any' }) => {
    const folder = mkdtempSync(path.join(dir, 'client-'))
    const write = (file: string, text: string) => {
      writeFileSync(path.join(folder, file), text, { mode: 0o600 })
      return path.join(folder, file)
    }
    write('client-cert.pem', own.cert)
    write('client-key.pem', own.key)
    write('cacert.pem', readFileSync(ca, 'utf8'))
    const at = { host: '127.0.0.1', port, user, password }
    const named = Object.entries({ ...at, db: database }).map(([option, value]) => `mysql-${option}=${value}\n`)
    const options = write('sysbench.conf', `${named.join('')}mysql-ssl=on\n`)
    const settings = Object.entries({ ...at, 'ssl-ca': ca, protocol: 'tcp' }).map(([key, value]) => `${key}=${value}\n`)
    const defaults = write('my.cnf', `[client]\n${settings.join('')}`)
    return { name, dir: folder, options, defaults, ...(pid === undefined ? {} : { pid }) }
  }
}
