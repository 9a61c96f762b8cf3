import { BrokerError } from '../../proxy/session.ts'
import type { ConnectDeps } from './open-connections.ts'

/** Opens the client of the person signed in, and runs a connecting command with it. */
export async function withDeps(
  options: { server?: string },
  run: (deps: ConnectDeps) => Promise<number>,
): Promise<number> {
  const { openApiClient } = await import('./login-store.ts')
  const bearer = async (): Promise<string> => {
    const { token } = await openApiClient(options)
    if (token === null) throw new BrokerError('LOGIN_REQUIRED', undefined, { hint: 'run: sallyport login' })
    return token
  }
  return await run({ api: await openApiClient(options), bearer, env: process.env, now: () => Date.now() })
}

/** Aborts on the first of the signals that ask a program to end. */
export async function untilStopped<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController()
  const onSignal = () => stop.abort()
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.once(signal, onSignal)
  try {
    return await run(stop.signal)
  } finally {
    for (const signal of signals) process.off(signal, onSignal)
  }
}
