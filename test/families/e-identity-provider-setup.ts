import type { Test } from 'tap'
import type { Vouched } from '../../src/identity/logins/logins.ts'
import { createOidc, type OidcDeps } from '../../src/identity/oidc/oidc.ts'
import type { Strength } from '../../src/identity/sign-in/sign-in.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { configOf } from '../src/http/login-setup.ts'
import { startFakeProvider } from '../src/identity/fake-provider.ts'
import { minute, startIdentity } from '../src/identity/identity-setup.ts'

export const address = '192.0.2.7'

/** A provider that can lie, the broker's identity on a real store, and the client between them. */
export async function startWithProvider(t: Test, config: Partial<OidcDeps['config']> = {}) {
  const provider = await startFakeProvider(t)
  const logged: string[] = []
  const oidc = createOidc({
    config: { ...configOf(provider), ...config },
    publicUrl: 'https://access.example.com',
    clock: { now: () => Date.now() },
    logger: createLogger({ level: 'info', destination: { write: (line: string) => logged.push(line) } }),
  })
  const setup = await startIdentity(t, { prober: oidc.prober })
  const vouch = async (strength?: Strength): Promise<Vouched> => {
    const { url, pending } = await oidc.start({ for: 'web', returnTo: '/' }, strength)
    const response = await fetch(url, { redirect: 'manual' })
    return await oidc.finish(pending, new URL(response.headers.get('location') ?? '').searchParams)
  }
  const signIn = async (strength?: Strength) =>
    await setup.identity.logins.begin(await vouch(strength), 'cli', { address })
  return {
    ...setup,
    provider,
    oidc,
    logged,
    vouch,
    signIn,
    /** The next probe: a quarter of an hour later, or one minute. */
    probe: async (afterMs = 15 * minute) => {
      setup.time.now += afterMs
      await setup.identity.probe()
    },
    isActive: async (id: string) => (await setup.identity.principal(id))?.active,
    isLive: (id: string) => setup.identity.credential({ kind: 'login', id }).then((found) => found !== undefined),
    groupsOf: async (id: string) => (await setup.identity.principal(id))?.groups,
    /** Refresh tokens that the provider was shown. */
    shown: () => provider.posts.flatMap(({ body }) => body.get('refresh_token') ?? []),
  }
}
