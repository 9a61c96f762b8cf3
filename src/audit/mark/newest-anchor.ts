import type { KeyObject } from 'node:crypto'
import { open } from 'node:fs/promises'
import { type Checkpoint, openBody, openCheckpoint, parseCheckpointLine } from '../checkpoint.ts'

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
      const checkpoint = await newestIn(file, installation, key)
      if (checkpoint && checkpoint.n > (newest?.checkpoint.n ?? Number.NEGATIVE_INFINITY)) newest = { file, checkpoint }
    } catch (error) {
      onUnreadable(file, error)
    }
  }
  return newest
}

/** Of those near the end, reading further back until there is one. */
async function newestIn(path: string, installation: string, key: KeyObject): Promise<Checkpoint | undefined> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    for (let length = Math.min(firstRead, size); ; length = Math.min(length * 8, size)) {
      const bytes = Buffer.alloc(length)
      await file.read(bytes, 0, length, size - length)
      const found = newestOf(bytes.toString('utf8').split('\n'), installation, key)
      if (found || length === size) return found
    }
  } finally {
    await file.close()
  }
}

/** Verifies from the greatest number down, as a signature takes longer than all else. */
function newestOf(lines: readonly string[], installation: string, key: KeyObject): Checkpoint | undefined {
  const claimed = lines.flatMap((line) => {
    const signed = parseCheckpointLine(line)
    const body = signed && openBody(signed.body)
    return signed && body?.installation === installation ? [{ n: body.n, signed }] : []
  })
  for (const { signed } of claimed.sort((a, b) => b.n - a.n)) {
    const opened = openCheckpoint(signed, key)
    if (opened.ok) return opened.checkpoint
  }
  return undefined
}
