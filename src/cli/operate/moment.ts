import { parseDurationSum } from '../../../proxy/duration.ts'

/** After the beginning, or at an instant (epoch milliseconds). */
export type Moment = { readonly afterMs: number } | { readonly at: number }

const clockForm = /^(?:(\d{1,4}):)?(\d{1,4}):(\d{2})$/

/** `12:34`, `1:02:03` or `90s` after the beginning; `2026-11-28T17:05:00Z`. @returns undefined for anything else */
export function readMoment(text: string): Moment | undefined {
  const [, hours = '0', minutes, seconds] = clockForm.exec(text) ?? []
  if (minutes !== undefined) return { afterMs: (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000 }
  const afterMs = parseDurationSum(text)
  if (afterMs !== undefined) return { afterMs }
  const at = /^\d{4}-\d{2}-\d{2}T/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? undefined : { at }
}
