import { accessSync, chmodSync, constants, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BrokerError } from '../../proxy/session.ts'

/**
 * Makes the folder of what the daemon remembers apart from the store (mode 0700).
 * @throws BrokerError CONFIG_INVALID when it can't be made or written
 */
export function openStateDir(dir: string): string {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    if ((statSync(dir).mode & 0o077) !== 0) chmodSync(dir, 0o700)
    accessSync(dir, constants.W_OK)
  } catch (cause) {
    throw new BrokerError('CONFIG_INVALID', `state.dir: ${(cause as Error).message}`, {
      cause,
      hint: 'Name a folder that the daemon can write, apart from keys.dir, which may be read-only.',
    })
  }
  return dir
}

/** Where a running daemon is asked for a copy of its store. */
export function backupSocketOf(stateDir: string): string {
  return join(stateDir, 'backup.sock')
}
