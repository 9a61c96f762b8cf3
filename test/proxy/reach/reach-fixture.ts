/** Ways to targets behind instances: through the sandbox's gateway and agents, which dial real ports. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'
import type { TunnelAsk } from '../../../proxy/doorman.ts'
import { makePermit } from '../../../proxy/permit.ts'
import { viaSsm } from '../../../proxy/reach/via-ssm.ts'
import { BrokerError, type PermitFields, type SessionPermit, type ViaInstances } from '../../../proxy/session.ts'
import { openSession } from '../ssm/session-fixture.ts'
import { tunnelCalls, via } from './tunnel-calls.ts'

export const never = new AbortController().signal

export async function listen(t: Test): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => void sockets.add(socket.on('error', () => {}).pipe(socket) as Socket))
  server.listen(0, 'localhost')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

export function permitFor(
  port: number,
  more: Partial<PermitFields> = {},
  host = 'localhost',
  by: ViaInstances = via,
): SessionPermit {
  const engine = { address: { host, port }, serverName: 'x', ca: null, via: by, rules: {} }
  return makePermit({ kind: 'rds-postgres', sessionId: 'ses-1', signal: never, engine, ...more } as PermitFields)
}

interface ReachOptions {
  readonly idleMs?: number
  /** Tunnels that can be opened. */
  readonly tunnels?: number
  readonly besideMs?: number
  /** Tunnels whose agent says nothing, by their turn. */
  readonly silent?: readonly number[]
}

/** @param broken instances through which no session can be opened */
export async function openReach(
  t: Test,
  port: number,
  broken: readonly string[] = [],
  { idleMs = 60_000, tunnels = 3, besideMs = 60_000, silent = [] }: ReachOptions = {},
) {
  const asked: TunnelAsk[] = []
  const properties = { host: 'localhost', portNumber: String(port), type: 'LocalPortForwarding' }
  const sessions: Awaited<ReturnType<typeof openSession>>[] = []
  const spare = await Promise.all(
    Array.from({ length: tunnels }, () => openSession(t, { sessionType: 'Port', properties })),
  )
  for (const turn of silent) if (spare[turn]) spare[turn].session.down.drop = 1
  const { calls, ended } = tunnelCalls((ask) => {
    asked.push(ask)
    if (broken.includes(ask.instance)) return () => Promise.reject(new BrokerError('AWS_DENIED', 'TargetNotConnected'))
    const session = spare.shift()
    if (!session) return () => Promise.reject(new BrokerError('AWS_DENIED', 'there are no more'))
    sessions.push(session)
    return session.options.ticket
  })
  const reach = viaSsm({ idleMs, besideMs, tunnels: calls, onError: (error) => t.fail('no error', { error }) })
  return { reach, asked, sessions, ended }
}

export async function echoes(stream: NodeJS.ReadWriteStream, text: string): Promise<boolean> {
  stream.write(text)
  const [data] = await once(stream, 'data')
  return String(data) === text
}
