/** What ssh needs on this machine: a key, host keys and a configuration, in a folder beside that of the sign-in. */
import { execFile } from 'node:child_process'
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { readIfThere, replaceFile } from '../../../proxy/local/replace-file.ts'
import { BrokerError } from '../../../proxy/session.ts'
import { loginFilePath } from '../login/login-file.ts'

export interface SshFiles {
  readonly folder: string
  /** Private keys, of which the newer one is used: a session that began with the older one can still read it. */
  readonly keys: readonly [string, string]
  readonly knownHosts: string
  readonly config: string
}

/** A key signs in for a minute after the broker has put it in; on this machine it is replaced after so long. */
const keyMs = 1_800_000
/** Longer than anything that is done under the lock. */
const staleMs = 10_000

export function sshFiles(env: NodeJS.ProcessEnv): SshFiles {
  const folder = join(dirname(loginFilePath(env)), 'ssh')
  const keys = [join(folder, 'key-a'), join(folder, 'key-b')] as const
  return { folder, keys, knownHosts: join(folder, 'known_hosts'), config: join(folder, 'config') }
}

/** @returns base64 of the public key that ssh will sign in with: made anew where there is none, or an old one */
export async function currentKey(files: SshFiles, now: number): Promise<string> {
  const known = await newestKey(files)
  if (known && now - known.madeAt < keyMs) return await readPublic(known.path)
  return await locked(files, async () => {
    const [a, b] = files.keys
    const newest = await newestKey(files)
    if (newest && now - newest.madeAt < keyMs) return await readPublic(newest.path) // another made it meanwhile
    const path = newest?.path === a ? b : a
    await makeKey(path)
    return await readPublic(path)
  })
}

async function newestKey({ keys }: SshFiles): Promise<{ path: string; madeAt: number } | undefined> {
  const found = await Promise.all(
    keys.map(async (path) => ({ path, madeAt: (await stat(path).catch(() => undefined))?.mtimeMs ?? 0 })),
  )
  const [newest] = found.filter(({ madeAt }) => madeAt > 0).sort((one, other) => other.madeAt - one.madeAt)
  return newest
}

/** Beside the key, under a name that ssh does not read: it would offer a key that has been replaced. */
const publicPath = (path: string) => `${path}.public`

async function makeKey(path: string): Promise<void> {
  const temporary = `${path}.${process.pid}`
  const args = ['-q', '-t', 'ed25519', '-N', '', '-C', 'sallyport', '-f', temporary]
  await promisify(execFile)('ssh-keygen', args).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT'
      ? new BrokerError('UNSUPPORTED', 'ssh-keygen is not on the PATH', { hint: 'install the OpenSSH client' })
      : error
  })
  await rename(`${temporary}.pub`, publicPath(path))
  await rename(temporary, path)
}

async function readPublic(path: string): Promise<string> {
  const [, key = ''] = (await readFile(publicPath(path), 'utf8')).split(' ')
  return key
}

/** Replaces those that are known of a host, under its own name and no other. */
export async function keepHostKeys(files: SshFiles, host: string, hostKeys: readonly string[]): Promise<void> {
  const lines = hostKeys.map((key) => `${host} ${key}`)
  await locked(files, async () => {
    const before = (await readIfThere(files.knownHosts))?.toString() ?? ''
    const others = before.split('\n').filter((line) => line !== '' && !line.startsWith(`${host} `))
    const after = `${[...others, ...lines].join('\n')}\n`
    if (after !== before) await replaceFile(files.knownHosts, after, 0o600)
  })
}

/** One at a time on this machine: every connection of ssh is a process of its own. */
async function locked<T>({ folder }: SshFiles, run: () => Promise<T>): Promise<T> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, 'lock')
  while (!(await take(path))) {
    const madeAt = (await stat(path).catch(() => undefined))?.mtimeMs
    if (madeAt !== undefined && Date.now() - madeAt > staleMs) await rm(path, { force: true })
    else await delay(20)
  }
  try {
    return await run()
  } finally {
    await rm(path, { force: true })
  }
}

async function take(path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx', 0o600)).close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
