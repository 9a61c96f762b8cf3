import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import t from 'tap'
import { createAuthority } from '../../sandbox/certificates.ts'
import { waitUntil } from '../../wait-until.ts'
import { startListeningApp } from './listening-app.ts'

const table = '/proc/net/tcp'
const keepAliveTimer = '02'

/** The kernel's timer of the accepted end of a connection (proc_pid_net(5)). */
function timerOf(serverPort: number, clientPort: number): string | undefined {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0')
  const ends = new RegExp(`^\\s*\\d+: \\w+:${hex(serverPort)} \\w+:${hex(clientPort)} 01 \\w+:\\w+ (\\w\\w):`, 'm')
  return ends.exec(readFileSync(table, 'utf8'))?.[1]
}

const skip = existsSync(table) ? false : `no ${table}`
const https = createAuthority().issue(['localhost'])
for (const [name, tls] of [
  ['plain', {}],
  ['TLS', { https }],
] as const) {
  t.test(`a client that is lost without a word is noticed, ${name}`, { skip }, async (t) => {
    const { port } = await startListeningApp(t, tls)
    const socket = connect({ host: '127.0.0.1', port })
    t.teardown(() => socket.destroy())
    await once(socket, 'connect')
    const { localPort = 0 } = socket
    await waitUntil(() => timerOf(port, localPort) === keepAliveTimer, 'its keep-alive timer runs')
    t.equal(timerOf(port, localPort), keepAliveTimer)
  })
}
