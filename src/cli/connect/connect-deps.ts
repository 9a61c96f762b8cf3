import { onBrokenPipe } from '../broken-pipe.ts'
import type { ConnectDeps } from './open-connections.ts'

/** Runs a connecting command with the login of one server. The user may sign in again while it runs. */
export async function withDeps(
  options: { server?: string },
  run: (deps: ConnectDeps) => Promise<number>,
): Promise<number> {
  const { openApiClient } = await import('../login/login-store.ts')
  const { server } = await openApiClient(options)
  // That server and no other: a sign-in elsewhere meanwhile must not send its token here.
  return await run({ server, openApi: () => openApiClient({ server }), env: process.env, now: () => Date.now() })
}

/** Aborts on the first of the signals that ask a program to end. */
export async function untilStopped<T>(
  run: (signal: AbortSignal) => Promise<T>,
  signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'],
): Promise<T> {
  const stop = new AbortController()
  const onSignal = () => stop.abort()
  for (const signal of signals) process.once(signal, onSignal)
  using _stop = onBrokenPipe(onSignal)
  try {
    return await run(stop.signal)
  } finally {
    for (const signal of signals) process.off(signal, onSignal)
  }
}
