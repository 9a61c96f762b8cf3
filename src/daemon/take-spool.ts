import { existsSync, renameSync, rmSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import { copyPrivately, syncFile } from '../store/files.ts'

const name = 'audit.spool'

/**
 * Where the audit spool is. Earlier versions kept it in `keys.dir`, which may be read-only: what they left is copied once, so that
 * no removal of access in it is lost, and none is applied again at a later start.
 */
export function takeSpool({ keysDir, stateDir }: Pick<Config, 'keysDir' | 'stateDir'>): string {
  const path = join(stateDir, name)
  const earlier = join(keysDir, name)
  if (existsSync(path) || !existsSync(earlier)) return path
  const copy = `${path}.new`
  rmSync(copy, { force: true }) // of a start that was interrupted
  try {
    copyPrivately(earlier, copy)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return path // another daemon with these keys took it just now
    throw error
  }
  renameSync(copy, path)
  syncFile(stateDir)
  removeIfPossible(earlier)
  return path
}

/** It is not read again once the copy is there. */
function removeIfPossible(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'EROFS' && code !== 'EACCES' && code !== 'EPERM') throw error
  }
}
