/** An export as a forger would shorten it: without its last events, and with a head and checkpoints that fit. */
export function truncate(lines: readonly string[]): string[] {
  const parsed = lines.map((line) => JSON.parse(line) as Record<string, Record<string, unknown>>)
  const events = parsed.filter((line) => line.event)
  const last = events[Math.floor(events.length / 2)]?.event
  const upTo = Number(last?.seq)
  const head = { seq: last?.seq, hash: last?.hash }
  return parsed
    .filter(({ event }) => !event || Number(event.seq) <= upTo)
    .filter(({ checkpoint }) => !checkpoint || Number(checkpoint.seq) <= upTo)
    .map((line) => {
      if (line.export) return { export: { ...line.export, ...head } }
      return line.end ? { end: head } : line
    })
    .map((line) => JSON.stringify(line))
}
