import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import type { Test } from 'tap'
import { type AppOptions, buildApp } from '../../../src/http/app.ts'
import type { IdentityService } from '../../../src/identity/identity.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'

/** Starts an app without a daemon, on a free port of loopback. By default nobody is signed in, and it has no routes. */
export async function startListeningApp(t: Test, options: Partial<AppOptions>): Promise<{ port: number }> {
  const app = await buildApp({
    identity: { authenticate: async () => null } as unknown as IdentityService,
    logger: pino({ level: 'silent' }),
    metrics: createMetrics(),
    publicUrl: 'http://127.0.0.1',
    trustedProxies: [],
    routes: [],
    ...options,
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  return { port: (app.server.address() as AddressInfo).port }
}
