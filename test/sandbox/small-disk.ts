import { execFileSync } from 'node:child_process'
import { statfsSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** For tests that skip. */
export const withoutDisk = 'a small tmpfs cannot be mounted here: that needs root and the right to mount'

/** Mounts a disk of its own at an empty folder. @returns unmounts it; undefined where it cannot be mounted */
export function mountSmallDisk(dir: string, megabytes: number): (() => void) | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', dir], { stdio: 'pipe' })
  } catch {
    return undefined
  }
  return () => execFileSync('umount', [dir])
}

/** Takes all the room that there is. */
export function fillDisk(file: string): void {
  const { bavail, bsize } = statfsSync(path.dirname(file))
  try {
    writeFileSync(file, Buffer.alloc(bavail * bsize))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error // what it did not get the daemon took meanwhile
  }
}
