import { randomInt } from 'node:crypto'
import type { Clock } from '../../telemetry/clock.ts'
import type { Vouched } from '../logins/logins.ts'
import { createOneTimeSecrets } from './one-time-secrets.ts'

/** Follows RFC 8628 in its parts; the messages are our own, since our CLI is the only client. */
type DeviceState =
  /** The code has not been entered, or not been decided on. */
  | { readonly is: 'pending' }
  /** A person signed in and approved; the next poll ends the wait. */
  | { readonly is: 'approved'; readonly vouched: Vouched }
  | { readonly is: 'denied' }

/** A command waiting on a machine without a browser. */
export interface DeviceRequest {
  /** `BCDF-GHJK`; what the person types. */
  readonly userCode: string
  /** Where the command runs, as we saw it. */
  readonly address: string
  /** Epoch milliseconds. */
  readonly startedAt: number
  state: DeviceState
  /** The last poll, epoch milliseconds. */
  polledAt: number
}

type DevicePoll =
  | { readonly is: 'pending' | 'slow-down' | 'denied' | 'unknown' }
  | { readonly is: 'approved'; readonly vouched: Vouched }

export interface DeviceCodes {
  /** @throws BrokerError RATE_LIMITED */
  begin(address: string): { deviceCode: string; request: DeviceRequest }
  /** @param typed as people type it: any case, with or without the hyphen */
  find(typed: string): DeviceRequest | undefined
  /** False when the request was already decided, or no longer exists. */
  decide(userCode: string, state: Exclude<DeviceState, { is: 'pending' }>): boolean
  /** Approved and denied are told once; then the code is unknown. */
  poll(deviceCode: string): DevicePoll
}

export interface DeviceOptions {
  readonly clock: Clock
  readonly intervalMs: number
}

export const deviceLifeMs = 5 * 60_000
/** No vowels, so no words; no digits to mistake for letters (RFC 8628, section 6.1). 34 bits. */
const alphabet = 'BCDFGHJKLMNPQRSTVWXZ'

export function createDeviceCodes({ clock, intervalMs }: DeviceOptions): DeviceCodes {
  const requests = createOneTimeSecrets<DeviceRequest>({ clock, ttlMs: deviceLifeMs, most: 5000, mostPerAddress: 50 })
  const byUserCode = new Map<string, DeviceRequest>()
  const isLive = (request: DeviceRequest) => clock.now() - request.startedAt < deviceLifeMs
  const forget = () => {
    for (const [code, request] of byUserCode) if (!isLive(request)) byUserCode.delete(code)
  }
  const find = (typed: string) => {
    const request = byUserCode.get(normalize(typed))
    return request && isLive(request) && request.state.is === 'pending' ? request : undefined
  }
  return {
    begin: (address) => {
      forget()
      const userCode = newUserCode(byUserCode)
      const now = clock.now()
      const request: DeviceRequest = { userCode, address, startedAt: now, polledAt: 0, state: { is: 'pending' } }
      const deviceCode = requests.put(request, address)
      byUserCode.set(userCode, request)
      return { deviceCode, request }
    },
    find,
    decide: (userCode, state) => {
      const request = find(userCode)
      if (!request) return false
      request.state = state
      return true
    },
    poll: (deviceCode) => {
      const request = requests.peek(deviceCode)
      if (!request) return { is: 'unknown' }
      const now = clock.now()
      const early = now - request.polledAt < intervalMs * 0.9 // clocks and networks jitter
      request.polledAt = now
      if (early) return { is: 'slow-down' }
      if (request.state.is === 'pending') return { is: 'pending' }
      requests.take(deviceCode)
      byUserCode.delete(request.userCode)
      return request.state
    },
  }
}

function newUserCode(taken: ReadonlyMap<string, unknown>): string {
  const letters = Array.from({ length: 8 }, () => alphabet[randomInt(alphabet.length)]).join('')
  const code = `${letters.slice(0, 4)}-${letters.slice(4)}`
  return taken.has(code) ? newUserCode(taken) : code
}

function normalize(typed: string): string {
  const letters = typed
    .slice(0, 64)
    .toUpperCase()
    .replaceAll(/[^A-Z]/g, '')
  return `${letters.slice(0, 4)}-${letters.slice(4)}`
}
