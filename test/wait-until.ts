/**
 * How tests wait: for something to become true, with a deadline that names it. Time alone is waited for only where nothing
 * is to happen meanwhile, and then with a reason (`test/architecture/no-sleeps.test.ts` finds other ways of sleeping).
 */
const defaultWithinMs = 10_000
const defaultEveryMs = 5

/**
 * @param what for the message of a test that waited in vain
 * @param everyMs how long between two looks
 * @throws Error when it doesn't hold within `withinMs`
 */
export async function waitUntil(
  holds: () => boolean | Promise<boolean>,
  what: string | (() => string) = String(holds),
  withinMs = defaultWithinMs,
  everyMs = defaultEveryMs,
): Promise<void> {
  await waitFor(async () => ((await holds()) ? true : undefined), what, withinMs, everyMs)
}

/** As {@link waitUntil}. @returns what was found, as soon as it isn't undefined */
export async function waitFor<T>(
  look: () => T | undefined | Promise<T | undefined>,
  what: string | (() => string),
  withinMs = defaultWithinMs,
  everyMs = defaultEveryMs,
): Promise<T> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > deadline)
      throw new Error(`not within ${withinMs} ms: ${typeof what === 'string' ? what : what()}`)
    await pass(everyMs)
  }
}

/** Lets time pass where nothing says when it is over, or where nothing must happen. @param _reason for the reader */
export async function quietFor(ms: number, _reason: string): Promise<void> {
  await pass(ms)
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
