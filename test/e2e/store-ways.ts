import { startTcpProxy, type TcpProxy } from '../sandbox/tcp-proxy.ts'
import { waitFor, waitUntil } from '../wait-until.ts'
import type { Door } from './company.ts'
import {
  type DaemonName,
  daemonNames,
  startTwoDaemons,
  type TwoDaemons,
  type TwoDaemonsOptions,
} from './two-daemons.ts'

/** Two daemons, each with a way of its own to their store, and what their tests ask of them. */
export interface OnWays extends TwoDaemons {
  readonly ways: Readonly<Record<DaemonName, TcpProxy>>
  /** Why this one lets nobody in; empty when it does. */
  problems(name: DaemonName): Promise<readonly string[]>
  /** Until both let sessions in. */
  bothReady(withinMs?: number): Promise<void>
  metric(name: DaemonName, line: string): Promise<boolean>
}

export async function startOnWays(options: Omit<TwoDaemonsOptions, 'storeOf'> = {}): Promise<OnWays> {
  const closing = new AsyncDisposableStack()
  const ways = {} as Record<DaemonName, TcpProxy>
  const storeOf = async (name: DaemonName, direct: string) => {
    const url = new URL(direct)
    const way = await startTcpProxy(Number(url.port))
    closing.defer(() => way.close())
    ways[name] = way
    url.port = String(way.port)
    return url.href
  }
  try {
    const two = await startTwoDaemons({ ...options, storeOf })
    closing.defer(() => two.close())
    const problems: OnWays['problems'] = async (name) => {
      const answer = await fetch(`${two.daemons[name].url}/readyz`).catch((error: unknown) => {
        throw new Error(`${name} does not answer\n${two.daemons[name].log()}`, { cause: error })
      })
      return ((await answer.json()) as { problems: string[] }).problems
    }
    const metric: OnWays['metric'] = async (name, line) =>
      (await (await fetch(`${two.daemons[name].metricsUrl}/metrics`)).text()).split('\n').includes(line)
    const bothReady = async (withinMs = 30_000) => {
      for (const name of daemonNames) {
        const isReady = async () => (await problems(name).catch((error) => [String(error)])).length === 0
        await waitUntil(isReady, () => `${name} is ready\n${two.daemons[name].log()}`, withinMs, 100)
      }
    }
    return { ...two, ways, problems, metric, bothReady, close: () => closing.disposeAsync() }
  } catch (error) {
    await closing.disposeAsync()
    throw error
  }
}

export interface LoggedEvent {
  readonly type: string
  readonly at: number
  readonly fields: Readonly<Record<string, unknown>>
}

/** Events of one type about one subject, newest first. */
export async function eventsOf(door: Door, type: string, subject: string): Promise<LoggedEvent[]> {
  const path = `/api/v1/audit/events?type=${type}&subject=${subject}`
  return (await door.api<{ events: LoggedEvent[] }>('carol', 'GET', path)).events
}

/** Its end, once it is in the log. */
export async function endOf(door: Door, sessionId: string, withinMs = 20_000): Promise<LoggedEvent> {
  const look = async () => (await eventsOf(door, 'session.ended', sessionId))[0]
  return await waitFor(look, `the end of ${sessionId} is in the log`, withinMs, 100)
}

/** Sessions that the books call open. */
export async function openSessions(door: Door): Promise<string[]> {
  const { sessions } = await door.api<{ sessions: { id: string; endReason: string | null }[] }>(
    'carol',
    'GET',
    '/api/v1/sessions',
  )
  return sessions.flatMap(({ id, endReason }) => (endReason === null ? [id] : []))
}

/** What `audit verify` finds. */
export async function foundIn(door: Door): Promise<readonly { where: string }[]> {
  return (await door.api<{ problems: { where: string }[] }>('carol', 'GET', '/api/v1/audit/verify')).problems
}
