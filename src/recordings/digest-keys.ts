import type { Keyring } from '../store/keyring.ts'

/**
 * Keys of the digests within recordings, one for each session. Only with the folder of keys can they be made again, to check a
 * guess at what was redacted.
 */
export function digestKeys(keyring: Pick<Keyring, 'ids' | 'mac'>) {
  return {
    id: keyring.ids['mac.key'],
    keyOf: (sessionId: string): Uint8Array => Buffer.from(keyring.mac('recording digests', sessionId)),
  }
}
