import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { createPostgres } from '../../../proxy/postgres/protocol.ts'
import { cstring, int32, message, query } from '../../proxy/postgres/raw-client.ts'
import { type Script, startTarget } from '../../proxy/postgres/scripted-target.ts'
import { onTopOf, type Speaker } from './house.ts'

const sslRequest = Buffer.concat([int32(8), int32(80877103)])
const parameters = [int32(3 << 16), cstring('user'), cstring('anyone'), cstring('database'), cstring('orders')]
const startup = Buffer.concat([...parameters, Buffer.from([0])])
const hello = Buffer.concat([int32(startup.length + 4), startup])
const idle = message('Z', Buffer.from('I'))
const done = message('C', cstring('SELECT 0'))

export const postgresSpeaker: Speaker = {
  kind: 'rds-postgres',
  rules: { databases: ['*'], defaultDatabase: 'orders', statementTimeoutMs: 0, maxRows: 1000 },
  create: createPostgres,
  startTarget: async () => {
    const endings: (() => void)[] = []
    const target = await startTarget({ teardown: (end: () => void) => void endings.push(end) })
    const honest = (): Script => {
      let rest: Buffer = Buffer.alloc(0)
      return {
        onBytes: (socket, bytes) => {
          rest = Buffer.concat([rest, bytes])
          while (rest.length >= 5 && rest.length > rest.readUInt32BE(1)) {
            const type = rest.toString('latin1', 0, 1)
            rest = rest.subarray(1 + rest.readUInt32BE(1))
            if (type === 'Q') socket.write(Buffer.concat([done, idle]))
            if (type === 'S') socket.write(idle)
          }
        },
      }
    }
    target.script = honest()
    return {
      ...target,
      turn: (hostile) => {
        const { stage, say } = hostile ?? {}
        target.script = {
          ...honest(),
          ...(stage === 'greeting' && say ? { onSslRequest: say } : {}),
          ...(stage === 'login' && say ? { onStartup: say } : {}),
          ...(stage === 'token' && say ? { onPassword: say } : {}),
          ...(stage === 'answers' && say ? { onBytes: say } : {}),
        }
      },
      close: () => {
        for (const end of endings) end()
      },
    }
  },
  clients: {
    port: async ({ tls }) => await dial(tls),
    inside: async ({ tls, ca }) => {
      const socket = await dial(tls)
      socket.write(sslRequest)
      await once(socket, 'data')
      socket.pause()
      const stream = onTopOf(connectTls({ socket, servername: 'localhost', ca }), socket)
      await once(stream, 'secureConnect')
      return stream
    },
    session: async ({ known }) => {
      const socket = await dial(known)
      socket.write(hello)
      return socket
    },
  },
  askHonestly: async ({ known }) => {
    const socket = await dial(known)
    socket.write(Buffer.concat([hello, query('COPY t FROM STDIN')]))
    return socket
  },
}

async function dial(port: number): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port, noDelay: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}
