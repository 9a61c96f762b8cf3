import { createHash, randomBytes } from 'node:crypto'
import { isSameBytes } from '../../../proxy/constant-time.ts'
import { BrokerError } from '../../../proxy/session.ts'
import type { Vouched } from '../logins/logins.ts'
import { createDeviceCodes, type DeviceCodes } from './device-codes.ts'
import { createOneTimeSecrets, type OneTimeSecrets, type OneTimeSecretsDeps } from './one-time-secrets.ts'
import type { SignInPurpose } from './sign-in.ts'

/**
 * The states of a CLI sign-in, in order. Each may be at another daemon: it is sealed in the browser's cookie, or one entry in
 * the store, bounded and short-lived, and leaving it consumes it.
 *
 * 1. `PendingSignIn` (sign-in.ts): at the provider; sealed in the browser's cookie, 10 minutes.
 * 2. `Confirmation`: the provider vouched, the person hasn't confirmed; secret in the browser's cookie, 5 minutes.
 * 3. browser: `CliCode`, on its way over the person's loopback port to the command that knows the verifier, 1 minute;
 *    device: `DeviceRequest` (device-codes.ts), from pending to approved or denied, 5 minutes in all.
 * 4. a login (logins.ts), whose secret is the answer to the command.
 */
export interface CliSignIns {
  readonly confirmations: OneTimeSecrets<Confirmation>
  readonly devices: DeviceCodes
  /** @returns the one-time code for the command's loopback port */
  issueCode(vouched: Vouched, challenge: string, address: string): Promise<string>
  /**
   * A code is spent by the first try, also by one that fails (RFC 7636, section 4.6: S256).
   * @throws BrokerError LOGIN_FAILED
   */
  redeemCode(code: string, verifier: string): Promise<Vouched>
}

export interface Confirmation {
  readonly vouched: Vouched
  readonly purpose: Exclude<SignInPurpose, { for: 'web' }>
  /** In the form, so that an old tab can't confirm what a newer one shows. */
  readonly formId: string
}

interface CliCode {
  readonly vouched: Vouched
  readonly challenge: string
}

const confirmWithinMs = 5 * 60_000
const redeemWithinMs = 60_000
/** How often a device code may be typed for one confirmation. */
export const mostTries = 5

export function createCliSignIns(deps: OneTimeSecretsDeps, options: { deviceIntervalMs: number }): CliSignIns {
  const bounds = { most: 5000, mostPerAddress: 50 }
  const confirmations = { ...bounds, purpose: 'confirmation', ttlMs: confirmWithinMs }
  const codes = createOneTimeSecrets<CliCode>(deps, { ...bounds, purpose: 'cli-code', ttlMs: redeemWithinMs })
  return {
    confirmations: createOneTimeSecrets<Confirmation>(deps, confirmations),
    devices: createDeviceCodes(deps, { intervalMs: options.deviceIntervalMs }),
    issueCode: (vouched, challenge, address) => codes.put({ vouched, challenge }, address),
    redeemCode: async (code, verifier) => {
      const found = await codes.take(code)
      if (!found) throw new BrokerError('LOGIN_FAILED', 'the code is unknown, was already used, or has expired')
      const shown = createHash('sha256').update(verifier).digest()
      const wanted = Buffer.from(found.challenge, 'base64url')
      if (!isSameBytes(shown, wanted)) throw new BrokerError('LOGIN_FAILED', 'the verifier does not match this sign-in')
      return found.vouched
    },
  }
}

export function newConfirmation(vouched: Vouched, purpose: Confirmation['purpose']): Confirmation {
  return { vouched, purpose, formId: randomBytes(12).toString('base64url') }
}
