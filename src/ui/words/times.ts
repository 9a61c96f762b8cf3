/** Moments and spans as people read them, in the zone of the browser. */
const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' })
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })
const minute = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' })
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
/** As ISO 8601 writes it, in the zone of the browser. */
const exact = new Intl.DateTimeFormat('sv-SE', {
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
})

/** `Europe/Berlin` */
export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone

/** What stands where there is no moment or span: AWS and databases write the year 1 for none. */
const none = '–'

/** Of epoch milliseconds. */
export function isMoment(at: number): boolean {
  return at > 0 && at < 8.64e15
}

/** Within a day `5 min ago`, else the date. */
export function ago(at: number, now: number): string {
  if (!isMoment(at)) return none
  const ms = at - now
  const size = Math.abs(ms)
  if (size < minuteMs) return relative.format(Math.trunc(ms / 1000), 'second')
  if (size < hourMs) return relative.format(Math.trunc(ms / minuteMs), 'minute')
  if (size < dayMs) return relative.format(Math.trunc(ms / hourMs), 'hour')
  return day.format(at)
}

/** `15:20` when it is within a day, else with its date. */
export function when(at: number, now: number): string {
  if (!isMoment(at)) return none
  return Math.abs(at - now) < 12 * hourMs ? clock.format(at) : minute.format(at)
}

export function exactly(at: number): string {
  if (!isMoment(at)) return none
  return exact.format(at).replace(',', '.')
}

const timeOfDay = new Intl.DateTimeFormat('sv-SE', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
})

/** `12:01:07.310` */
export function clockOf(at: number): string {
  return timeOfDay.format(at).replace(',', '.')
}

/** Within something that lasts: `1:02:03`. */
export function position(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)]
  const padded = (value: number) => String(value).padStart(2, '0')
  return hours > 0 ? `${hours}:${padded(minutes)}:${padded(seconds % 60)}` : `${minutes}:${padded(seconds % 60)}`
}

/** With its offset, in UTC and as a number: for who must be sure. */
export function everyForm(at: number): string {
  if (!isMoment(at)) return none
  return `${exactly(at)} ${zone}\n${new Date(at).toISOString()}\n${at}`
}

/** `1 h 30 min` */
export function span(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return none
  if (ms < minuteMs) return `${Math.max(0, Math.round(ms / 1000))} s`
  const days = Math.floor(ms / dayMs)
  const hours = Math.floor((ms % dayMs) / hourMs)
  const minutes = Math.floor((ms % hourMs) / minuteMs)
  const parts = [
    ...(days > 0 ? [`${days} d`] : []),
    ...(hours > 0 ? [`${hours} h`] : []),
    ...(minutes > 0 ? [`${minutes} min`] : []),
  ]
  return parts.slice(0, 2).join(' ')
}

const byte = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })

/** `1.2 MB` */
export function size(bytes: number): string {
  if (!Number.isFinite(bytes) || bytes < 0) return none
  if (bytes < 1000) return `${bytes} B`
  if (bytes < 1e6) return `${byte.format(bytes / 1e3)} kB`
  if (bytes < 1e9) return `${byte.format(bytes / 1e6)} MB`
  return `${byte.format(bytes / 1e9)} GB`
}
