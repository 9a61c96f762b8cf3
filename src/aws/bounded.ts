/**
 * Does something for each item, a few at a time, in their order. The first error ends it: what is under way is awaited, the rest is not begun.
 * @throws what `work` threw first
 */
export async function eachOf<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values()
  let failed = false
  const worker = async () => {
    for (const item of rest) {
      if (failed) return
      try {
        await work(item)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const results = await Promise.allSettled(Array.from({ length: Math.min(atOnce, items.length) }, worker))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}
