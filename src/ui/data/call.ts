import { type Ask, toRequest } from '../../contract/ask.ts'
import type { Answer, JsonKey } from '../../contract/routes.ts'
import { noteServerTime } from './clock.ts'
import { Problem } from './problem.ts'

const withinMs = 30_000

/**
 * One call of the API, as the person who is signed in.
 * @throws Problem
 */
export async function call<K extends JsonKey>(key: K, ...[ask]: Ask<K>): Promise<Answer<K>> {
  const { method, path, body } = toRequest(key, ask)
  const response = await send(path, {
    method,
    redirect: 'error',
    cache: 'no-store',
    signal: AbortSignal.timeout(withinMs),
    headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body }),
  })
  noteServerTime(response.headers.get('date'))
  const answer: unknown = response.status === 204 ? undefined : await response.json().catch(() => undefined)
  if (!response.ok) throw readProblem(response.status, answer)
  return answer as Answer<K>
}

async function send(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init)
  } catch (error) {
    throw new Problem('UNREACHABLE', String(error))
  }
}

/** Of what stands between, as a balancer's page, the status says most. */
export function readProblem(status: number, answer: unknown): Problem {
  const { code, detail, instance } = (answer ?? {}) as { code?: unknown; detail?: unknown; instance?: unknown }
  if (typeof code !== 'string') return new Problem(status === 401 ? 'LOGIN_REQUIRED' : 'UNREACHABLE', `HTTP ${status}`)
  return new Problem(
    code,
    typeof detail === 'string' ? detail : code,
    typeof instance === 'string' ? instance : undefined,
  )
}
