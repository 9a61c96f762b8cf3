import { chmodSync, closeSync, copyFileSync, fsyncSync, openSync, rmSync } from 'node:fs'

/** @param to a file that is not there yet; on disk, and with mode 0600, when this returns */
export function copyPrivately(from: string, to: string): void {
  closeSync(openSync(to, 'wx', 0o600))
  copyFileSync(from, to)
  chmodSync(to, 0o600)
  syncFile(to)
}

/** Also of a folder: then its names are on disk. */
export function syncFile(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Deletes a store that is not open, with what SQLite keeps beside it. */
export function removeStore(path: string): void {
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(`${path}${end}`, { force: true })
}
