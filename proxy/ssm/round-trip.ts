const initialMs = { timeout: 200, smoothed: 100 } as const
const longestTimeoutMs = 1000
const leastMarginMs = 10

/** How long to wait for an acknowledgement, as agent and plugin reckon it (RFC 6298 without its minimum of one second). */
export class RoundTrip {
  timeoutMs: number = initialMs.timeout
  smoothedMs: number = initialMs.smoothed
  variationMs = 0

  /** @param ms from when a message was last sent until it was acknowledged */
  sample(ms: number): void {
    this.variationMs = (3 * this.variationMs + Math.abs(this.smoothedMs - ms)) / 4
    this.smoothedMs = (7 * this.smoothedMs + ms) / 8
    this.timeoutMs = Math.min(longestTimeoutMs, this.smoothedMs + Math.max(leastMarginMs, 4 * this.variationMs))
  }
}
