import type { FastifyPluginAsync } from 'fastify'
import type { Test } from 'tap'
import { buildApp } from '../../../src/http/app.ts'
import { createLists, type Lists } from '../../../src/http/lists.ts'
import { accessRoutes } from '../../../src/http/routes/access.ts'
import { policyRoutes } from '../../../src/http/routes/policy.ts'
import { resourceRoutes } from '../../../src/http/routes/resources.ts'
import { createSessionStore } from '../../../src/sessions/session-store.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { type AccessSetup, openAccess, startedAt } from '../access/access-setup.ts'

export interface AccessAppDeps extends AccessSetup {
  readonly lists: Lists
}

/** The API of requests, grants and rules, with people whose token is their name. @param more routes of a test's own */
export async function startAccessApp(t: Test, more: (deps: AccessAppDeps) => FastifyPluginAsync[] = () => []) {
  const setup = await openAccess(t, { isRealTime: true })
  setup.clock.advance(Date.now() - startedAt)
  const unused = () => {
    throw new Error('these routes do not ask for this')
  }
  const sessions = createSessionStore(setup.db, setup.keyring)
  const openSessions = (principalId: string, resourceId: string) =>
    sessions.count({ open: true, principalId, resourceId }, 1000)
  const deps = { ...setup, lists: createLists(setup), openSessions }
  const app = await buildApp({
    identity: {
      authenticate: async ({ bearer }) => (bearer && setup.people.has(bearer) ? setup.login(bearer) : null),
      ...setup.identity,
      credential: unused,
      tokenKeys: unused,
      identify: unused,
      sweep: unused,
    },
    logger: createLogger({ level: 'silent' }),
    metrics: createMetrics(),
    publicUrl: 'http://127.0.0.1',
    trustedProxies: [],
    rateLimit: 1_000_000, // what the routes do is tested here, by the thousand where a fuzzer asks
    routes: [accessRoutes(deps), resourceRoutes(deps), policyRoutes(deps), ...more(deps)],
  })
  const close = () => app.close()
  t.teardown(close)
  const call = async (person: string, method: 'GET' | 'POST', url: string, payload?: string) => {
    const headers = {
      authorization: `Bearer ${person}`,
      ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
    }
    const response = await app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) })
    return { status: response.statusCode, body: response.json() }
  }
  /** @returns its URL */
  const listen = () => app.listen({ host: '127.0.0.1', port: 0 })
  return { setup, call, listen, close }
}
