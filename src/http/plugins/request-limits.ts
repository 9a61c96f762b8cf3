import { createHash } from 'node:crypto'
import rateLimit, { type FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { prefixOf } from '../../../proxy/ports/source-address.ts'
import { BrokerError } from '../../../proxy/session.ts'
import type { Count, Counter, Counts } from '../../store/counts/counter.ts'

const timeWindow = 60_000
/** Credentials remembered because they were right. */
const mostKnown = 10_000

/**
 * Requests per minute: of each person who is signed in at each address (of an IPv6 address its /64), and of each address that is not. A
 * person has the limit anew at another address, so that a stolen token cannot use up that of its owner. What is refused (no or a wrong
 * sign-in, an unknown path) is counted by address too, whatever the path: after too much of it no credential from there is looked up,
 * except those that were right before, so that people behind the same address can go on. What other daemons have counted counts too.
 * To be registered before the authentication.
 */
export const requestLimits = fp(async (app, { perMinute, counts }: { perMinute: number; counts: Counts }) => {
  const known = new Set<string>()
  await app.register(rateLimit, { max: perMinute, timeWindow, keyGenerator: callerOf, store: storeIn(counts) })
  const refusals = app.createRateLimit({ max: perMinute, timeWindow, keyGenerator: refusedAt })
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.config?.rateLimit === false) return
    const refused = await refusals(request, { increment: false })
    if (refused.isAllowed || refused.remaining > 0 || known.has(shownBy(request))) return
    reply.header('retry-after', refused.ttlInSeconds)
    throw new BrokerError('RATE_LIMITED')
  })
  app.addHook('preParsing', async (request) => {
    if (!request.login) return
    const shown = shownBy(request)
    if (known.size >= mostKnown && !known.has(shown)) known.clear()
    known.add(shown)
  })
  app.addHook('onError', async (request) => {
    if (request.login) return
    known.delete(shownBy(request))
    await refusals(request)
  })
})

function callerOf(request: FastifyRequest): string {
  const address = addressOf(request)
  return request.login ? `${request.login.principal.id} ${address}` : address
}

function refusedAt(request: FastifyRequest): string {
  return `refused ${addressOf(request)}`
}

export function addressOf({ ip }: FastifyRequest): string {
  return prefixOf(ip)
}

/** A digest of the credential that a request carries, if any. */
function shownBy({ headers: { authorization = '', cookie = '' } }: FastifyRequest): string {
  return createHash('sha256').update(`${authorization}\n${cookie}`).digest('base64')
}

/** What the library hands to a store: options, and of a route that has its own, which it is. */
interface Limit {
  readonly max: number
  readonly routeInfo?: { readonly method?: string | readonly string[]; readonly url?: string }
}

type Answer = (error: null, count: Count) => void

function storeIn(counts: Counts): FastifyRateLimitStoreCtor {
  return class RequestCounts {
    readonly #counter: Counter

    constructor(options: object) {
      const { max, routeInfo = {} } = options as Limit
      this.#counter = counts.counter(`requests ${routeInfo.method ?? ''} ${routeInfo.url ?? ''}`, max)
    }

    incr(key: string, callback: Answer, windowMs: number): void {
      callback(null, this.#counter.add(key, 1, counts.clock.now() + windowMs))
    }

    read(key: string, callback: Answer): void {
      callback(null, this.#counter.read(key))
    }

    child(options: object): RequestCounts {
      return new RequestCounts(options)
    }
  }
}
