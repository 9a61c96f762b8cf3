import { randomInt } from 'node:crypto'
import type { Vouched } from '../logins/logins.ts'
import { createOneTimeSecrets, type OneTimeSecretsDeps } from './one-time-secrets.ts'

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
  readonly state: DeviceState
}

type DevicePoll =
  | { readonly is: 'pending' | 'slow-down' | 'denied' | 'unknown' }
  | { readonly is: 'approved'; readonly vouched: Vouched }

/** One daemon begins, another decides, and any is polled. */
export interface DeviceCodes {
  /** @throws BrokerError RATE_LIMITED */
  begin(address: string): Promise<{ deviceCode: string; request: DeviceRequest }>
  /** @param typed as people type it: any case, with or without the hyphen */
  find(typed: string): Promise<DeviceRequest | undefined>
  /** False when the request was already decided, or no longer exists. */
  decide(userCode: string, state: Exclude<DeviceState, { is: 'pending' }>): Promise<boolean>
  /** Approved and denied are told once; then the code is unknown. */
  poll(deviceCode: string): Promise<DevicePoll>
}

export interface DeviceOptions {
  readonly intervalMs: number
}

export const deviceLifeMs = 5 * 60_000
/** No vowels, so no words; no digits to mistake for letters (RFC 8628, section 6.1). 34 bits. */
const alphabet = 'BCDFGHJKLMNPQRSTVWXZ'

export function createDeviceCodes(deps: OneTimeSecretsDeps, { intervalMs }: DeviceOptions): DeviceCodes {
  const bounds = { purpose: 'device', ttlMs: deviceLifeMs, most: 5000, mostPerAddress: 50 }
  const requests = createOneTimeSecrets<DeviceRequest>(deps, bounds)
  const leastMs = intervalMs * 0.9 // clocks and networks jitter
  const begin: DeviceCodes['begin'] = async (address) => {
    const userCode = newUserCode()
    const request: DeviceRequest = { userCode, address, startedAt: deps.clock.now(), state: { is: 'pending' } }
    const deviceCode = await requests.putAs(userCode, request, address)
    return deviceCode === undefined ? await begin(address) : { deviceCode, request }
  }
  return {
    begin,
    find: async (typed) => {
      const request = await requests.find(normalize(typed))
      return request?.state.is === 'pending' ? request : undefined
    },
    decide: (userCode, state) =>
      requests.update(normalize(userCode), (request) =>
        request.state.is === 'pending' ? { ...request, state } : undefined,
      ),
    poll: async (deviceCode) => {
      const polled = await requests.poll(deviceCode, leastMs)
      if (polled === undefined) return { is: 'unknown' }
      if (polled === 'early') return { is: 'slow-down' }
      if (polled.value.state.is === 'pending') return { is: 'pending' }
      return (await requests.take(deviceCode))?.state ?? { is: 'unknown' } // another poll was told
    },
  }
}

function newUserCode(): string {
  const letters = Array.from({ length: 8 }, () => alphabet[randomInt(alphabet.length)]).join('')
  return `${letters.slice(0, 4)}-${letters.slice(4)}`
}

function normalize(typed: string): string {
  const letters = typed
    .slice(0, 64)
    .toUpperCase()
    .replaceAll(/[^A-Z]/g, '')
  return `${letters.slice(0, 4)}-${letters.slice(4)}`
}
