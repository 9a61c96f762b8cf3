import type { Secrets } from './sql-dialect.ts'

export const mark = '[redacted]'
type Spans = Secrets['spans']

/** @param offset of the first byte within the text that the spans are of */
export function redactSpans(bytes: Buffer, spans: Spans, offset = 0): string {
  const end = offset + bytes.length
  let text = ''
  let at = offset
  for (const [from, to] of spans) {
    if (to <= at) continue
    if (from >= end) break
    text += `${bytes.toString('utf8', at - offset, Math.max(from, at) - offset)}${mark}`
    at = Math.min(to, end)
  }
  return text + bytes.toString('utf8', at - offset)
}

export function touches(spans: Spans, from: number, to: number): boolean {
  return spans.some((span) => span[0] < to && span[1] > from)
}

const mostTexts = 20
const longestText = 256

/** What was redacted, so that it can be found in errors: without quotes, and as the literal means. */
export function secretTexts(bytes: Buffer, spans: Spans): string[] {
  return spans.slice(0, mostTexts).flatMap(([from, to]) => textsOf(bytes.toString('utf8', from, to)))
}

export function textsOf(written: string): string[] {
  const short = written.slice(0, longestText)
  const bare = short.replace(/^(?:[eunbx]&?)?'|^\$[^$]{0,64}\$|'$|\$[^$]{0,64}\$$/gi, '')
  const meant = bare.replaceAll("''", "'").replace(/\\(.)/g, '$1')
  return [bare, meant].filter((text) => text !== '')
}

/**
 * An error about a statement that holds secrets: servers quote what they cannot parse, and values that they cannot read.
 * @param isOpaque parts of the statement are not known
 * @param quote of the dialect, where its errors begin to quote
 */
export function redactError(message: string, texts: readonly string[], isOpaque: boolean, quote: RegExp): string {
  const hasSecrets = texts.length > 0
  if (!hasSecrets && !isOpaque) return message
  const found = quote.exec(message)
  const shown = found ? `${message.slice(0, found.index)}${found[0].slice(0, -1)}${mark}` : message
  return texts.some((text) => shown.includes(text)) ? mark : shown
}
