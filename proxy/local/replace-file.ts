/** Files of the person whose machine this is: only regular ones are read, replaced or removed, and links to them stay. */
import { constants } from 'node:fs'
import { lstat, mkdir, open, readlink, realpath, rename, rm, stat, truncate } from 'node:fs/promises'
import { devNull } from 'node:os'
import { dirname, resolve } from 'node:path'
import { BrokerError } from '../session.ts'

type Stats = Awaited<ReturnType<typeof lstat>>

/** Longer ones of the files kept here are a mistake. */
const mostBytes = 16 * 1024 * 1024
const mostLinks = 40

/**
 * Undefined when there is no such file. The null device is empty: many name it to have none.
 * @throws BrokerError CONFIG_INVALID for a folder, FIFO, socket or any other device; one may never answer
 */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  const found = await stat(path).catch(ifMissing(undefined))
  if (!found) return undefined
  if (await isNullDevice(found)) return Buffer.alloc(0)
  checkRegular(path, found) // before it is opened, which may do something or wait
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
  const file = await open(path, flags).catch(ifMissing(undefined))
  if (!file) return undefined
  try {
    const stats = await file.stat()
    checkRegular(path, stats)
    if (stats.size > mostBytes) throw new BrokerError('CONFIG_INVALID', `${path} is longer than ${mostBytes} bytes`)
    return await file.readFile()
  } finally {
    await file.close()
  }
}

/**
 * Replaces the file in one step, so that a reader never sees half of it; in place where that cannot be (a single file that is
 * mounted, a folder that may not be written). A symbolic link stays one, and the owner stays. Missing folders are made, 0700.
 * @throws BrokerError CONFIG_INVALID when it is no regular file
 */
export async function replaceFile(path: string, content: string | Buffer, mode: number): Promise<void> {
  const target = await linkTarget(path)
  const before = await regularIfThere(target)
  await mkdir(dirname(target), { recursive: true, mode: 0o700 })
  try {
    await replaceWhole(target, content, mode, before)
  } catch (error) {
    if (!before || !inPlaceInstead.has((error as NodeJS.ErrnoException).code ?? '')) throw error
    await writeInPlace(target, content, mode)
  }
}

/**
 * Removes the file; empties it where it is a link or mounted, so that the person's set-up stays. None there is fine.
 * @throws BrokerError CONFIG_INVALID when it is no regular file
 */
export async function removeFile(path: string): Promise<void> {
  const target = await linkTarget(path)
  if (!(await regularIfThere(target))) return
  if (target !== (await realParent(path))) return await truncate(target)
  try {
    await rm(target, { force: true })
  } catch (error) {
    if (!inPlaceInstead.has((error as NodeJS.ErrnoException).code ?? '')) throw error
    await truncate(target)
  }
}

/** Removes the file or link itself. @throws BrokerError CONFIG_INVALID when it is neither */
export async function unlinkFile(path: string): Promise<void> {
  const found = await lstat(path).catch(ifMissing(undefined))
  if (!found?.isSymbolicLink()) checkRegular(path, found)
  await rm(path, { force: true })
}

const inPlaceInstead: ReadonlySet<string> = new Set(['EBUSY', 'EXDEV', 'EACCES', 'EPERM', 'EROFS'])

async function replaceWhole(path: string, content: string | Buffer, mode: number, before?: Stats): Promise<void> {
  const { randomBytes } = await import('node:crypto') // loaded on demand: most runs only read
  const temporary = `${path}.${randomBytes(6).toString('hex')}`
  try {
    const file = await open(temporary, 'wx', mode)
    try {
      if (before && before.uid !== process.getuid?.() && process.platform !== 'win32')
        await file.chown(Number(before.uid), Number(before.gid))
      await file.chmod(mode) // whatever the umask
      await file.writeFile(content)
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

async function writeInPlace(path: string, content: string | Buffer, mode: number): Promise<void> {
  const file = await open(path, constants.O_WRONLY | (constants.O_NONBLOCK ?? 0))
  try {
    checkRegular(path, await file.stat())
    await file.chmod(mode)
    const bytes = Buffer.from(content)
    await file.writeFile(bytes)
    await file.truncate(bytes.length)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Where a link leads in the end, also to a file that is not there yet. */
async function linkTarget(path: string): Promise<string> {
  let at = resolve(path)
  for (let links = 0; links < mostLinks; links += 1) {
    const found = await lstat(at).catch(ifMissing(undefined))
    if (!found?.isSymbolicLink()) return await realParent(at)
    at = resolve(dirname(await realParent(at)), await readlink(at))
  }
  throw new BrokerError('CONFIG_INVALID', `${path} leads through too many symbolic links`)
}

/** The same path with the links of its folders resolved. */
async function realParent(path: string): Promise<string> {
  const absolute = resolve(path)
  const folder = dirname(absolute)
  const real = await realpath(folder).catch(ifMissing(folder))
  return resolve(real, absolute.slice(folder.length).replace(/^[\\/]+/, ''))
}

async function regularIfThere(path: string): Promise<Stats | undefined> {
  const found = await lstat(path).catch(ifMissing(undefined))
  checkRegular(path, found)
  return found
}

function checkRegular(path: string, stats: Stats | undefined): void {
  if (!stats || stats.isFile()) return
  const hint = 'Name another file.'
  throw new BrokerError('CONFIG_INVALID', `${path} is ${nameOf(stats)}, not a regular file`, { hint })
}

function nameOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a folder'
  if (stats.isFIFO()) return 'a FIFO'
  if (stats.isSocket()) return 'a socket'
  return stats.isSymbolicLink() ? 'a symbolic link' : 'a device'
}

/** By its numbers: it can have other names. */
async function isNullDevice(stats: Stats): Promise<boolean> {
  if (!stats.isCharacterDevice()) return false
  const known = await stat(devNull).catch(ifMissing(undefined))
  return known?.isCharacterDevice() === true && known.rdev === stats.rdev
}

/** @returns for `catch`: the fallback when the file does not exist; any other error is rethrown */
function ifMissing<T>(fallback: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return fallback
    throw error
  }
}
