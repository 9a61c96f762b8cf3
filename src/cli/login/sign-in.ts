import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { printable } from '../../../proxy/printable.ts'
import { BrokerError } from '../../../proxy/session.ts'
import type { SignedIn } from '../../contract/login.ts'
import { createApiClient } from '../api/api-client.ts'
import { listenForCode } from './loopback-callback.ts'
import { openBrowser } from './open-browser.ts'

export interface SignInOptions {
  readonly env: NodeJS.ProcessEnv
  /** Prove who you are again, even if the provider remembers you. */
  readonly fresh: boolean
  /** Start a browser, rather than only print the address. */
  readonly browser: boolean
  /** For the person; never standard output, which belongs to results. */
  readonly say: (text: string) => void
}

const withinMs = 10 * 60_000

/** By the browser of this machine: PKCE between this command and the broker, on top of the broker's own with the provider. */
export async function signInByBrowser(server: string, options: SignInOptions): Promise<SignedIn> {
  const state = randomBytes(32).toString('base64url')
  const verifier = randomBytes(32).toString('base64url')
  const challenge = createHash('sha256').update(verifier).digest('base64url')
  const callback = await listenForCode(state, withinMs)
  try {
    const query = new URLSearchParams({ port: String(callback.port), state, challenge })
    if (options.fresh) query.set('max_age', '0')
    show(`${server}/api/v1/cli/authorize?${query}`, options)
    const code = await callback.code
    return await createApiClient(server, null).call('POST /api/v1/cli/token', { body: { code, verifier } })
  } finally {
    callback.close()
  }
}

function show(url: string, { env, browser, say }: SignInOptions): void {
  const explain = (why: string) => say(`${why}; open this address yourself or run: sallyport login --device`)
  const problem = browser ? openBrowser(url, env, explain) : null
  if (problem) explain(problem)
  else if (browser) say('Opening your browser. If it does not open, visit:')
  else say('Open this address in a browser on this machine:')
  say(`  ${url}`)
}

/** By any browser anywhere: the person types a code that is shown here. */
export async function signInByDevice(server: string, options: SignInOptions): Promise<SignedIn> {
  const api = createApiClient(server, null)
  const device = await api.call('POST /api/v1/device')
  const address = printable(device.verification_uri)
  options.say(`Open in a browser:   ${address}${options.fresh ? '?max_age=0' : ''}`)
  options.say(`and enter the code:  ${printable(device.user_code)}`)
  const deadline = Date.now() + device.expires_in * 1000
  let intervalMs = Math.max(50, device.interval * 1000)
  while (Date.now() < deadline) {
    await wait(intervalMs)
    const answer = await api.call('POST /api/v1/device/token', { body: { device_code: device.device_code } })
    if (answer.status === 'approved') return answer
    if (answer.status === 'slow-down') intervalMs += 1000
  }
  throw new BrokerError('LOGIN_FAILED', 'the code has expired', { hint: 'run: sallyport login --device' })
}
