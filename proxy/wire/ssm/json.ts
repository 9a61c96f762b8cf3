import { WireError } from '../wire-error.ts'

/** Longest JSON that either side has a reason to send. */
const maxJsonBytes = 64 * 1024

/** A payload that is one JSON object. @param what names it in errors @throws WireError */
export function readObject(payload: Buffer, what: string): Readonly<Record<string, unknown>> {
  if (payload.length > maxJsonBytes) throw new WireError(`${what} is too long`)
  let value: unknown
  try {
    value = JSON.parse(payload.toString('utf8'))
  } catch {
    throw new WireError(`${what} is not JSON`)
  }
  if (!isObject(value)) throw new WireError(`${what} is not a JSON object`)
  return value
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @throws WireError unless the member is a string */
export function readText(object: Readonly<Record<string, unknown>>, name: string, what: string): string {
  const value = object[name]
  if (typeof value !== 'string') throw new WireError(`${name} of ${what} is not a string`)
  return value
}

/** Compact, with the members in their order. */
export function encodeJson(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
