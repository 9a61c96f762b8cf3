import type { Macs } from '../../../src/store/signed-rows.ts'

/** Signs so that any change shows. */
export const keyring: Macs = {
  mac: (purpose, text) => `${purpose}:${text.length}:${text}`,
  checkMac: (purpose, text, mac) => mac === `${purpose}:${text.length}:${text}`,
}
