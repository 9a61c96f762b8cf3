/** How far this machine's clock is from the server's, ms. */
let offsetMs = 0

/** @param date header of an answer: whole seconds */
export function noteServerTime(date: string | null): void {
  const at = Date.parse(date ?? '')
  // Half a second is what the header leaves out on average.
  if (!Number.isNaN(at)) offsetMs = at + 500 - Date.now()
}

/** Epoch milliseconds, to about a second. */
export function serverNow(): number {
  return Date.now() + offsetMs
}
