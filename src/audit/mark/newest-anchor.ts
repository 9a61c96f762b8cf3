import type { KeyObject } from 'node:crypto'
import { open } from 'node:fs/promises'
import { type Checkpoint, openCheckpoint, parseCheckpointLine } from '../checkpoint.ts'

export interface Anchored {
  readonly file: string
  readonly checkpoint: Checkpoint
}

const firstRead = 256 * 1024

/**
 * The newest checkpoint of this installation in these files, by its number.
 * @param onUnreadable called for a file that is missing or cannot be read: it decides nothing
 */
export async function newestAnchor(
  files: readonly string[],
  installation: string,
  key: KeyObject,
  onUnreadable: (file: string, error: unknown) => void,
): Promise<Anchored | undefined> {
  let newest: Anchored | undefined
  for (const file of files) {
    try {
      for (const checkpoint of await lastCheckpoints(file, key)) {
        if (checkpoint.installation !== installation) continue
        if (!newest || checkpoint.n > newest.checkpoint.n) newest = { file, checkpoint }
      }
    } catch (error) {
      onUnreadable(file, error)
    }
  }
  return newest
}

/** Those near the end, reading further back until there is one. */
async function lastCheckpoints(path: string, key: KeyObject): Promise<Checkpoint[]> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    for (let length = Math.min(firstRead, size); ; length = Math.min(length * 8, size)) {
      const bytes = Buffer.alloc(length)
      await file.read(bytes, 0, length, size - length)
      const found = bytes
        .toString('utf8')
        .split('\n')
        .flatMap((line) => {
          const signed = parseCheckpointLine(line)
          const opened = signed && openCheckpoint(signed, key)
          return opened?.ok ? [opened.checkpoint] : []
        })
      if (found.length > 0 || length === size) return found
    }
  } finally {
    await file.close()
  }
}
