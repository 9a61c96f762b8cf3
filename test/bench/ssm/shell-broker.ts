/** A daemon with an instance, a person who may open shells on it, and shells that repeat what is typed. */
import type { ClientOptions } from 'ws'
import { type RunningDaemon, startDaemon } from '../../sandbox/daemon.ts'
import { accounts, shellInstance } from '../../sandbox/default-world.ts'
import { createPerson } from '../../sandbox/person.ts'
import { type Sandbox, startSandbox } from '../../sandbox/sandbox.ts'
import { echoShell } from './echo-shell.ts'
import { type BenchShell, openShell } from './open-shell.ts'

export interface ShellBroker {
  readonly sandbox: Sandbox
  readonly daemon: RunningDaemon
  open(): Promise<BenchShell>
  /** What {@link openShell} takes for another one. */
  address(): { readonly url: URL; readonly options: ClientOptions }
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
  const headersOfOpening = { cookie, origin: daemon.url }
  const address = () => ({ url, options: { headers: headersOfOpening, localAddress: localAddress() } })
  const open = () => {
    const { url, options } = address()
    return openShell(url, options)
  }
  return { sandbox, daemon, open, address }
}
