import { mkdir, open, readFile, realpath, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Undefined when there is no such file. */
export function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(ifMissing(undefined))
}

/** The target of a symbolic link, so that the link is kept: people keep such files in a repository and link to it. */
export function linkTarget(path: string): Promise<string> {
  return realpath(path).catch(ifMissing(path))
}

/** Replaces the file in one step, so that a reader never sees half of it. Missing folders are made, 0700. */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const { randomBytes } = await import('node:crypto') // loaded on demand: most runs only read
  const temporary = `${path}.${randomBytes(6).toString('hex')}`
  try {
    const file = await open(temporary, 'wx', mode)
    try {
      await file.chmod(mode) // whatever the umask
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** @returns for `catch`: the fallback when the file does not exist; any other error is rethrown */
function ifMissing<T>(fallback: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return fallback
    throw error
  }
}
