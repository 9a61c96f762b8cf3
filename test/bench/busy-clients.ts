/**
 * `node busy-clients.ts PORT BUSY IDLE`: so many sessions of one connect token, given as `BENCH_TOKEN`. Prints `open` when all are
 * open, then the number of queries answered since, once a second.
 */
import { connect, type Socket } from 'node:net'

import { connect as secure } from 'node:tls'
import { message, readMessages } from './busy-wire.ts'

const [port, busy, idle] = process.argv.slice(2).map(Number)
const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])
const query = message('Q', Buffer.from('select x from t where id = 42\0'))
const atOnce = 8

const password = message('p', Buffer.from(`${process.env.BENCH_TOKEN ?? ''}\0`))
let left = (busy ?? 0) + (idle ?? 0)
let isStarted = false
let answered = 0
const workers: (() => void)[] = []
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    while (left > 0) {
      left -= 1
      await open(left < (busy ?? 0))
    }
  }),
)
process.stdout.write('open\n')
isStarted = true
for (const begin of workers) begin()
setInterval(() => process.stdout.write(`${answered}\n`), 1000)

async function open(isBusy: boolean): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port: port ?? 0, noDelay: true })
  socket.write(sslRequest)
  await new Promise((resolve, reject) => socket.once('data', resolve).once('error', reject))
  const session = secure({ socket, rejectUnauthorized: false }) // the benchmark's own broker on this machine
  session.write(startup({ user: 'bench', database: 'orders' }))
  await isReady(session)
  const ask = () => {
    if (isStarted && isBusy) session.write(query)
  }
  workers.push(ask)
  session.on('ready-for-query', ask)
}

function isReady(session: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    session.on('error', reject).on('close', () => reject(new Error('a session was closed')))
    readMessages(session, (type, body) => {
      if (type === 'E') reject(new Error(body.toString()))
      else if (type === 'R' && body.readInt32BE(0) === 3) session.write(password)
      else if (type === 'Z') {
        if (isStarted) answered += 1
        session.emit('ready-for-query')
        resolve()
      }
    })
  })
}

function startup(parameters: Readonly<Record<string, string>>): Buffer {
  const pairs = Object.entries(parameters).flatMap(([name, value]) => [`${name}\0`, `${value}\0`])
  const body = Buffer.concat([Buffer.from([0, 3, 0, 0]), Buffer.from(`${pairs.join('')}\0`)])
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length + 4)
  return Buffer.concat([length, body])
}
