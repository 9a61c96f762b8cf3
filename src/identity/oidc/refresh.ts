import { AsyncLocalStorage } from 'node:async_hooks'
import { type Configuration, type CustomFetch, refreshTokenGrant } from 'openid-client'
import type { KeepToken } from '../logins/logins.ts'
import { isGone } from './oidc-errors.ts'

type Tokens = Awaited<ReturnType<typeof refreshTokenGrant>>

interface Refresh {
  readonly keep: KeepToken
  fate: 'unsent' | 'lost' | 'kept'
}

const current = new AsyncLocalStorage<Refresh>()

/**
 * Exchanges a refresh token. `keep` gets its successor as soon as the answer is there, before its ID token is validated:
 * that takes keys which the provider may fail to give, and a successor that is thrown away can't be asked for again.
 * @returns `lost` when the provider may have spent the token but no answer came
 * @throws what openid-client throws, when the answer was kept or the token was not spent
 */
export async function refresh(found: Configuration, token: string, keep: KeepToken): Promise<Tokens | 'gone' | 'lost'> {
  const state: Refresh = { keep, fate: 'unsent' }
  try {
    return await current.run(state, () => refreshTokenGrant(found, token))
  } catch (error) {
    if (isGone(error)) return 'gone'
    if (state.fate === 'lost') return 'lost'
    throw error
  }
}

/** Keeps the successor of a refresh token; any other request passes unchanged. */
export function keepingFetch(fetch: CustomFetch): CustomFetch {
  return async (url, options) => {
    const state = options.method === 'POST' ? current.getStore() : undefined
    if (!state) return await fetch(url, options)
    state.fate = 'lost'
    const response = await fetch(url, options).catch((error: unknown) => {
      if (neverConnected(error)) state.fate = 'unsent'
      throw error
    })
    if (response.status === 200) {
      const answer: unknown = await response.clone().json() // a body that breaks off leaves the token in doubt
      await state.keep(successorIn(answer))
      state.fate = 'kept'
    } else if (response.status < 500 || response.status === 503) state.fate = 'unsent'
    return response
  }
}

function successorIn(answer: unknown): string | null {
  const token = typeof answer === 'object' && answer !== null && 'refresh_token' in answer ? answer.refresh_token : null
  return typeof token === 'string' && token !== '' ? token : null
}

const beforeSending = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

function neverConnected(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error && 'code' in cause && beforeSending.has(String(cause.code))
}
