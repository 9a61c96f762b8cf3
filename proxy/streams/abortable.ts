/**
 * Waits no longer than `signal` allows. A later result of the promise is dropped.
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
  return Object.assign(new Error('aborted'), { code: 'ABORT_ERR' })
}
