/**
 * Waits no longer than `signal` allows. What the promise does then is its own matter: its result is dropped.
 * @throws Error with code ABORT_ERR
 */
export async function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const giveUp = () => reject(abortError())
  signal.addEventListener('abort', giveUp)
  if (signal.aborted) giveUp()
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

export function abortError(): Error {
  return Object.assign(new Error('given up'), { code: 'ABORT_ERR' })
}
