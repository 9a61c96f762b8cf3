/**
 * Agents at a gateway of their own, what they lead to, and clients that are shown what they flood: in a thread of its own, so that nobody who
 * is measured waits behind them. Main of the thread that `far.ts` starts.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { parentPort } from 'node:worker_threads'
import type { ClientOptions } from 'ws'
import { makeKey, type StartedSession, startGateway } from '../../sandbox/ssm/gateway.ts'
import type { SessionSpec } from '../../sandbox/ssm/work.ts'
import { startBareAgent } from './bare-agent.ts'
import { echoShell, floodKey } from './echo-shell.ts'
import { type BenchShell, openShell } from './open-shell.ts'

/** By name: what is asked, and the answer. */
export interface FarAsks {
  start: { ask: { spec: SessionSpec; loss?: object }; answer: StartedSession }
  resume: { ask: { sessionId: string }; answer: StartedSession }
  /** A TCP server that takes whatever comes. */
  sink: { ask: object; answer: string }
  /** Bytes that sinks have taken since this was asked last. */
  sunk: { ask: object; answer: number }
  /** Port of {@link startBareAgent}. */
  bareAgent: { ask: object; answer: number }
  /** @param set it is one of */
  open: { ask: { set: string; url: string; options: ClientOptions }; answer: null }
  /** All of a set begin to flood, or stop. */
  flood: { ask: { set: string }; answer: null }
  /** Bytes, of each of a set. */
  shown: { ask: { set: string }; answer: readonly number[] }
  close: { ask: object; answer: null }
}

const gateway = await startGateway({ authorize: () => {} })
gateway.keys.push(makeKey())
const sets = new Map<string, BenchShell[]>()
const shellsOf = (set: string) => sets.get(set) ?? []
const closing = new AsyncDisposableStack() // the thread is terminated
let sunk = 0

const answers: { [Name in keyof FarAsks]: (ask: FarAsks[Name]['ask']) => Answer<Name> | Promise<Answer<Name>> } = {
  start: ({ spec, loss }) => {
    const started = gateway.start(spec, { shell: echoShell })
    const { up, down } = gateway.session(started.SessionId)
    for (const way of [up, down]) Object.assign(way, loss)
    return started
  },
  resume: ({ sessionId }) => gateway.resume(sessionId),
  sink: async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', ({ length }) => (sunk += length))
    })
    server.listen(0, 'localhost')
    await once(server, 'listening')
    return String((server.address() as AddressInfo).port)
  },
  sunk: () => {
    const bytes = sunk
    sunk = 0
    return bytes
  },
  bareAgent: () => startBareAgent(closing),
  open: async ({ set, url, options }) => {
    sets.set(set, [...shellsOf(set), await openShell(new URL(url), options)])
    return null
  },
  flood: ({ set }) => {
    for (const shell of shellsOf(set)) shell.type(floodKey)
    return null
  },
  shown: ({ set }) => shellsOf(set).map(({ received }) => received()),
  close: () => {
    for (const shell of [...sets.values()].flat()) shell.close()
    return null
  },
}
type Answer<Name extends keyof FarAsks> = FarAsks[Name]['answer']

parentPort?.on('message', ({ id, name, ask }: { id: number; name: keyof FarAsks; ask: never }) => {
  const answered = async () => await answers[name](ask)
  answered().then(
    (answer) => parentPort?.postMessage({ id, answer }),
    (error: unknown) => parentPort?.postMessage({ id, error: String(error) }),
  )
})
