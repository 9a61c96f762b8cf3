import { randomBytes } from 'node:crypto'
import type { Callers, RoleSession } from './callers.ts'

/**
 * The console's federation endpoint (IAM User Guide, "Enable custom identity broker access to the AWS console"):
 * `getSigninToken` and `login`. Refuses SessionDuration for credentials of a chained role, as AWS does.
 */
export interface FederationAnswer {
  readonly status: number
  readonly body: string
  readonly contentType: string
  readonly location?: string
}

export interface Federation {
  /** Who signed in to the console, and where they were sent. */
  readonly signIns: readonly { readonly arn: string; readonly destination: string; readonly issuer: string }[]
  answer(query: URLSearchParams, now: number): FederationAnswer
}

const tokenMs = 15 * 60_000
const consoleHost = /^https:\/\/([a-z0-9-]+\.)*console\.aws\.amazon\.com\//

export function createFederation(callers: Callers): Federation {
  const tokens = new Map<string, { arn: string; expiresAt: number }>()
  const signIns: { arn: string; destination: string; issuer: string }[] = []
  const signinToken = (query: URLSearchParams, now: number): FederationAnswer => {
    const caller = readSession(callers, query.get('Session'), now)
    if (!caller) return refuse(400, 'The session is not valid')
    if (query.get('SessionDuration') !== null && caller.session.isChained)
      return refuse(400, 'SessionDuration cannot be used with credentials of a chained role')
    const token = randomBytes(300).toString('base64')
    tokens.set(token, { arn: caller.arn, expiresAt: now + tokenMs })
    return { status: 200, body: JSON.stringify({ SigninToken: token }), contentType: 'application/json' }
  }
  const login = (query: URLSearchParams, now: number): FederationAnswer => {
    const known = tokens.get(query.get('SigninToken') ?? '')
    const destination = query.get('Destination') ?? ''
    if (!known || known.expiresAt <= now) return refuse(400, 'The sign-in token is not valid')
    if (!consoleHost.test(destination)) return refuse(400, 'The destination is not a page of the console')
    signIns.push({ arn: known.arn, destination, issuer: query.get('Issuer') ?? '' })
    return { status: 302, body: '', contentType: 'text/html', location: destination }
  }
  return {
    signIns,
    answer: (query, now) => {
      const action = query.get('Action')
      if (action === 'getSigninToken') return signinToken(query, now)
      return action === 'login' ? login(query, now) : refuse(400, 'unknown Action')
    },
  }
}

const refuse = (status: number, body: string): FederationAnswer => ({ status, body, contentType: 'text/plain' })

function readSession(callers: Callers, text: string | null, now: number): { arn: string; session: RoleSession } | null {
  let shown: { sessionId?: unknown; sessionKey?: unknown; sessionToken?: unknown }
  try {
    shown = JSON.parse(text ?? '') as typeof shown
  } catch {
    return null // AWS says the same of what is no JSON and of what is wrong
  }
  if (typeof shown?.sessionId !== 'string') return null
  const caller = callers.find(shown.sessionId)
  if (!caller?.session || caller.secretAccessKey !== shown.sessionKey || caller.session.token !== shown.sessionToken)
    return null
  return caller.session.expiresAt > now ? { arn: caller.arn, session: caller.session } : null
}
