/** How far this machine's clock is from the server's, ms. */
let offsetMs = 0
let onShift: () => void = () => undefined
/** What the whole seconds of the header make of one clock. */
const jitterMs = 2000

/** @param date header of an answer: whole seconds */
export function noteServerTime(date: string | null): void {
  const at = Date.parse(date ?? '')
  // Half a second is what the header leaves out on average.
  if (Number.isNaN(at)) return
  const before = offsetMs
  offsetMs = at + 500 - Date.now()
  if (Math.abs(offsetMs - before) > jitterMs) onShift()
}

/** @param listener called when the server's clock turns out to be another than was thought */
export function whenShifted(listener: () => void): void {
  onShift = listener
}

/** Epoch milliseconds, to about a second. */
export function serverNow(): number {
  return Date.now() + offsetMs
}
