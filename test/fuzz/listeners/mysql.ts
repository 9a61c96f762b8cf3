import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { createMysql } from '../../../proxy/mysql/protocol.ts'
import { login, packet, sslRequest } from '../../proxy/mysql/raw-client.ts'
import { query } from '../../proxy/mysql/raw-session.ts'
import { startScriptedTarget } from '../../sandbox/mysql/scripted-target.ts'
import { onTopOf, type Speaker } from './house.ts'

export const mysqlSpeaker: Speaker = {
  kind: 'rds-mysql',
  rules: {
    databases: ['*'],
    defaultDatabase: '',
    statementTimeoutMs: 0,
    maxRows: 1000,
    localInfile: true,
    readOnly: false,
  },
  create: createMysql,
  startTarget: async () => {
    const target = await startScriptedTarget()
    return Object.assign(target, {
      turn: (hostile: Parameters<Awaited<ReturnType<Speaker['startTarget']>>['turn']>[0]) => {
        const { stage, say } = hostile ?? {}
        target.script = {
          ...(stage === 'greeting' && say ? { onConnect: say } : {}),
          ...(stage === 'login' && say ? { onLogin: say } : {}),
          ...(stage === 'token' && say ? { onToken: say } : {}),
          ...(stage === 'answers' && say ? { onCommand: say } : {}),
        }
      },
    })
  },
  clients: {
    port: async ({ tls }) => await dial(tls),
    inside: async ({ tls, ca }) => {
      const socket = await dial(tls)
      await once(socket, 'data')
      socket.pause()
      socket.write(sslRequest())
      const stream = onTopOf(connectTls({ socket, servername: 'localhost', ca }), socket)
      await once(stream, 'secureConnect')
      return stream
    },
    session: async ({ known }) => {
      const socket = await dial(known)
      socket.write(packet(1, login({ capabilities: 0x80 | 0x1_0000 })))
      return socket
    },
  },
  askHonestly: async ({ known }) => {
    const socket = await dial(known)
    socket.write(
      Buffer.concat([packet(1, login({ capabilities: 0x80 })), query("LOAD DATA LOCAL INFILE 'f' INTO TABLE t")]),
    )
    return socket
  },
}

async function dial(port: number): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port, noDelay: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}
