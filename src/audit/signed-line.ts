import type { Keyring } from '../store/keyring.ts'
import { type CanonicalValue, canonicalJson } from './canonical.ts'

/** `MAC JSON` and a line feed, for files beside the store. @param purpose what the MAC is good for */
export function signedLine(keyring: Pick<Keyring, 'mac'>, purpose: string, value: CanonicalValue): Buffer {
  const json = canonicalJson(value)
  return Buffer.from(`${keyring.mac(purpose, json)} ${json}\n`)
}

/** @param line without its line feed @returns undefined when the MAC does not match */
export function readSignedLine(keyring: Pick<Keyring, 'checkMac'>, purpose: string, line: string): unknown {
  const space = line.indexOf(' ')
  const json = line.slice(space + 1)
  if (space < 0 || !keyring.checkMac(purpose, json, line.slice(0, space))) return undefined
  return JSON.parse(json)
}
