import { isUtf8 } from 'node:buffer'
import { wholeCharacters } from './long-text.ts'
import type { TextCapture } from './text-capture.ts'

/**
 * A bind value in a recording: text, null, or bytes of a type that is not decoded here. Digests are HMAC-SHA-256 under the key
 * of the recording. Sizes are left out where something was redacted.
 */
export type RecordedValue =
  | string
  | null
  | {
      readonly hex: string
      readonly oid?: number
      readonly type?: number
      readonly bytes: number
      readonly hmac?: string
    }
  | { readonly text: string; readonly bytes: number; readonly hmac: string }
  | { readonly redacted: true; readonly text?: string; readonly hmac: string }

/** A value of which only the beginning was kept. */
export interface LongValue {
  readonly head: Buffer
  readonly bytes: number
  readonly hmac: string
}

/** Longest part of one value that is kept. */
export const longestValue = 8192
/** In bytes; shown as twice as many digits. */
const longestHex = 64

/** @param long of what `value` is the beginning @returns undefined: it is no UTF-8 */
export function recordText(value: Buffer, capture: TextCapture, long?: LongValue): RecordedValue | undefined {
  const whole = long ? wholeCharacters(value) : value
  if (!isUtf8(whole)) return undefined
  const captured = capture.value(whole)
  const hmac = () => long?.hmac ?? capture.digests.of(value)
  if (captured) return { redacted: true, text: captured.text.slice(0, longestValue), hmac: hmac() }
  if (!long && value.length <= longestValue) return value.toString('utf8')
  const text = wholeCharacters(whole.subarray(0, longestValue)).toString('utf8')
  return { text, bytes: long?.bytes ?? value.length, hmac: hmac() }
}

/** @param typed by PostgreSQL's OID, or MySQL's number of the type */
export function recordBytes(
  value: Buffer,
  typed: { readonly oid: number } | { readonly type: number },
  capture: TextCapture,
  long?: LongValue,
): RecordedValue {
  const shared = { hex: value.subarray(0, longestHex).toString('hex'), ...typed, bytes: long?.bytes ?? value.length }
  const isWhole = !long && value.length <= longestHex
  return isWhole ? shared : { ...shared, hmac: long?.hmac ?? capture.digests.of(value) }
}
