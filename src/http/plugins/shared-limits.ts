import rateLimit, { type FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { countRequest, type RequestCountsDeps } from '../../identity/sign-in/request-counts.ts'
import { addressOf } from './request-limits.ts'

/**
 * Counts the routes of this scope that have a limit of their own in the store as well, by address, so that several daemons give
 * no one several times as many guesses. Without the store they are refused. What the daemon's own limit refuses is not counted here.
 */
export const sharedLimits = fp(async (app, deps: RequestCountsDeps) => {
  await app.register(rateLimit, { global: false, keyGenerator: callerOf, store: countsIn(deps) })
})

function callerOf(request: FastifyRequest): string {
  return `${request.method} ${request.routeOptions.url} ${addressOf(request)}`
}

function countsIn(deps: RequestCountsDeps): FastifyRateLimitStoreCtor {
  return class Counts {
    incr(key: string, callback: Answer, windowMs: number): void {
      countRequest(deps, key, windowMs).then(
        (counted) => callback(null, counted),
        (error: Error) => callback(error),
      )
    }

    child(): Counts {
      return this
    }
  }
}

type Answer = (error: Error | null, counted?: { current: number; ttl: number }) => void
