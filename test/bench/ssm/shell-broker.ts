/** A daemon with an instance, a person who may open shells on it, and shells that repeat what is typed. */
import { type ClientOptions, WebSocket } from 'ws'
import { type RunningDaemon, startDaemon } from '../../sandbox/daemon.ts'
import { accounts, shellInstance } from '../../sandbox/default-world.ts'
import { createPerson } from '../../sandbox/person.ts'
import { type Sandbox, startSandbox } from '../../sandbox/sandbox.ts'
import type { StartWork } from '../../sandbox/ssm/work.ts'

/** Typed, it floods from then on. */
export const floodKey = 'F'
const ackEvery = 64 * 1024

/** No pty: what a terminal costs on this machine is not measured. */
export const echoShell: StartWork = (_spec, { output }) => {
  let isOver = false
  const line = Buffer.from(`${'flood '.repeat(170)}\r\n`)
  const flood = async () => {
    while (!isOver) await output(1, line)
  }
  void output(1, Buffer.from('$ '))
  return {
    take: (type, payload) => {
      if (type === 1 && payload.includes(floodKey)) void flood()
      else if (type === 1) void output(1, payload)
      return true
    },
    stop: () => {
      isOver = true
    },
  }
}

export interface ShellBroker {
  readonly sandbox: Sandbox
  readonly daemon: RunningDaemon
  open(): Promise<BenchShell>
}

export async function startShellBroker(closing: AsyncDisposableStack): Promise<ShellBroker> {
  const sandbox = await startSandbox({ shells: true })
  closing.defer(() => sandbox.close())
  const daemon = await startDaemon(sandbox, { overrides: forEngineers })
  closing.defer(async () => void (await daemon.stop()))
  return await brokerOf(sandbox, daemon)
}

/** Engineers open any number of shells without asking anyone. */
export const forEngineers = {
  access: [
    {
      name: 'engineers-measure',
      who: { groups: ['engineering'] },
      what: { accounts: [accounts.data] },
      levels: ['readonly'],
      max_duration: '8h',
    },
  ],
  recordings: { reserve: '50MB', max_per_session: '20GB', max_per_principal: '200GB' },
  limits: { sessions_per_principal: 5000, sessions_per_resource: 5000 },
}

/** Of a daemon that runs. */
export async function brokerOf(sandbox: Sandbox, daemon: RunningDaemon): Promise<ShellBroker> {
  for (const instance of sandbox.aws.world.instances) instance.shell = echoShell
  const alice = createPerson('alice')
  await alice.signIn(`${daemon.url}/login`)
  const headers = { origin: daemon.url, 'content-type': 'application/json' }
  const body = JSON.stringify({ resource: shellInstance, level: 'readonly', durationMs: 8 * 3_600_000 })
  const response = await alice.fetch(`${daemon.url}/api/v1/requests`, { method: 'POST', headers, body })
  if (!response.ok) throw new Error(`no grant: ${response.status} ${await response.text()}`)
  const url = new URL(`/api/v1/connect/shell?resource=${shellInstance}`, daemon.url)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  const cookie = alice.cookieFor(daemon.url)
  let opened = 0
  // A person may make so many calls a minute from one address.
  const localAddress = () => `127.0.0.${1 + Math.floor(opened++ / 100)}`
  const own = { cookie, origin: daemon.url }
  return { sandbox, daemon, open: () => openShell(url, { headers: own, localAddress: localAddress() }) }
}

export interface BenchShell {
  /** Bytes so far. */
  readonly received: () => number
  /** Resolves when the next bytes are there. */
  readonly shown: () => Promise<void>
  type(text: string): void
  close(): void
}

async function openShell(url: URL, options: ClientOptions): Promise<BenchShell> {
  const socket = new WebSocket(url, { ...options, perMessageDeflate: false })
  let received = 0
  let acknowledged = 0
  let next = Promise.withResolvers<void>()
  const first = next.promise
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (!isBinary) {
      if (data.includes('"error"')) next.reject(new Error(data.toString()))
      return
    }
    received += data.length
    next.resolve()
    next = Promise.withResolvers()
    next.promise.catch(() => {}) // where nobody waits for more
    if (received - acknowledged < ackEvery || socket.readyState !== socket.OPEN) return
    acknowledged = received
    socket.send(JSON.stringify({ ack: received }))
  })
  socket.on('error', (error) => next.reject(error))
  await first
  return {
    received: () => received,
    shown: () => next.promise,
    type: (text) => socket.send(Buffer.from(text)),
    close: () => socket.close(),
  }
}
