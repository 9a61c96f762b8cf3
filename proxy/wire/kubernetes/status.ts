/** `Status` objects (API conventions, "Response Status Kind"), by which clients are told what went wrong. */
import { WireError } from '../wire-error.ts'

/** With the reasons that clients know; there is none for a bad gateway, and clients go by its code. */
const reasons = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  408: 'Timeout',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  429: 'TooManyRequests',
  500: 'InternalError',
  502: 'BadGateway',
  503: 'ServiceUnavailable',
  504: 'Timeout',
} as const

export type StatusCode = keyof typeof reasons

export interface StatusDetails {
  readonly name?: string
  readonly group?: string
  /** The resource, for all that it is called so. */
  readonly kind?: string
  /** Clients try again after it. */
  readonly retryAfterSeconds?: number
}

/** JSON of a failure. @param message one line, which kubectl prints */
export function encodeFailure(code: StatusCode, message: string, details: StatusDetails = {}): string {
  return JSON.stringify(failure(code, message, details))
}

/** The last event of a watch, with the line feed behind it. */
export function encodeWatchError(code: StatusCode, message: string): string {
  return `${JSON.stringify({ type: 'ERROR', object: failure(code, message, {}) })}\n`
}

function failure(code: StatusCode, message: string, details: StatusDetails): object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason: reasons[code],
    ...(Object.keys(details).length > 0 ? { details } : {}),
    code,
  }
}

/** How a program in a container ended: what the error stream of exec and attach says, once. */
export type ExitStatus =
  | { readonly exitCode: number; readonly message?: undefined }
  | { readonly exitCode: null; readonly message: string }

/** Of the JSON on an error stream. */
export const longestStatusBytes = 64 * 1024

/** @throws WireError */
export function readExitStatus(json: Buffer): ExitStatus {
  if (json.length > longestStatusBytes) throw new WireError('a status is too long')
  const { status, message, reason, details } = parse(json)
  if (status === 'Success') return { exitCode: 0 }
  if (status !== 'Failure') throw new WireError('a status is neither success nor failure')
  const code = reason === 'NonZeroExitCode' ? readCause(details) : null
  return code === null ? { exitCode: null, message: typeof message === 'string' ? message : '' } : { exitCode: code }
}

interface RawStatus {
  readonly status?: unknown
  readonly message?: unknown
  readonly reason?: unknown
  readonly details?: unknown
}

function parse(json: Buffer): RawStatus {
  try {
    const value: unknown = JSON.parse(json.toString())
    if (typeof value === 'object' && value !== null) return value
  } catch {}
  throw new WireError('a status is not a JSON object')
}

function readCause(details: unknown): number | null {
  const { causes } = (details ?? {}) as { causes?: unknown }
  for (const cause of Array.isArray(causes) ? causes : []) {
    const { reason, message } = (cause ?? {}) as { reason?: unknown; message?: unknown }
    if (reason === 'ExitCode' && typeof message === 'string' && /^[0-9]{1,3}$/.test(message)) return Number(message)
  }
  return null
}
