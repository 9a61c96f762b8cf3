/**
 * A backup is a folder: `store.db`, `manifest.json`, and `keys` where they were asked for. It gets its name when it is complete.
 */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { BrokerError } from '../../proxy/session.ts'
import { keyFiles, missingKeys, openKeyring } from './keyring.ts'
import { migrations } from './migrations/index.ts'

const storeName = 'store.db'
const manifestName = 'manifest.json'
const keysName = 'keys'

export interface BackupManifest {
  readonly v: 1
  /** Epoch milliseconds. */
  readonly madeAt: number
  readonly installation: string
  /** The newest migration of the store. */
  readonly schema: string
  /** Ids of the keys that the store belongs to. */
  readonly keys: Readonly<Record<string, string>>
  /** How far the audit log had come. */
  readonly seq: number
  readonly bytes: number
  /** Hex SHA-256 of the store. */
  readonly sha256: string
}

/** Where a running daemon is asked for a copy of its store. */
export function backupSocketOf(stateDir: string): string {
  return join(stateDir, 'backup.sock')
}

/** Makes the folder of a copy of the store. @param keysDir only where the keys go with it */
export function writeBackup(dir: string, copy: string, now: number, keysDir?: string): BackupManifest {
  if (existsSync(dir)) throw new BrokerError('INVALID_INPUT', `${dir} exists; name a folder that is not there yet`)
  const part = `${dir}.part`
  rmSync(part, { recursive: true, force: true }) // of a backup that was interrupted
  mkdirSync(part, { recursive: true, mode: 0o700 })
  try {
    copyPrivately(copy, join(part, storeName))
    const manifest = { v: 1 as const, madeAt: now, ...describeStore(join(part, storeName)) }
    if (keysDir !== undefined) copyKeys(keysDir, join(part, keysName))
    writeFileSync(join(part, manifestName), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600, flush: true })
    renameSync(part, dir)
    syncFile(dirname(dir))
    return manifest
  } catch (error) {
    rmSync(part, { recursive: true, force: true })
    throw error
  }
}

function copyKeys(from: string, to: string): void {
  mkdirSync(to, { recursive: true, mode: 0o700 })
  for (const name of keyFiles) copyPrivately(join(from, name), join(to, name))
}

function copyPrivately(from: string, to: string): void {
  closeSync(openSync(to, 'wx', 0o600))
  copyFileSync(from, to)
  chmodSync(to, 0o600)
  syncFile(to)
}

function syncFile(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Leaves one file without companions. @throws BrokerError INVALID_INPUT for what is no whole store of the broker */
function describeStore(path: string): Omit<BackupManifest, 'v' | 'madeAt'> {
  const db = new DatabaseSync(path)
  try {
    db.exec('pragma journal_mode = delete')
    const [check] = db.prepare('pragma quick_check(1)').all() as { quick_check: string }[]
    if (check?.quick_check !== 'ok') throw new Error(check?.quick_check)
    const text = (sql: string) => String(Object.values(db.prepare(sql).get() ?? {})[0] ?? '')
    return {
      installation: text("select value from settings where key = 'installation'"),
      schema: text('select max(name) from kysely_migration'),
      keys: JSON.parse(text("select value from settings where key = 'keys'")) as Record<string, string>,
      seq: Number(text('select max(seq) from audit_events')),
      bytes: statSync(path).size,
      sha256: hashOf(path),
    }
  } catch (cause) {
    throw new BrokerError('INVALID_INPUT', `${path} is not a whole store: ${(cause as Error).message}`, { cause })
  } finally {
    db.close()
  }
}

function hashOf(path: string): string {
  const hash = createHash('sha256')
  const file = openSync(path, 'r')
  try {
    const chunk = Buffer.alloc(1024 * 1024)
    for (let read = readSync(file, chunk); read > 0; read = readSync(file, chunk)) hash.update(chunk.subarray(0, read))
  } finally {
    closeSync(file)
  }
  return hash.digest('hex')
}

export interface RestoreTarget {
  readonly storeFile: string
  readonly keysDir: string
}

/**
 * Puts a backup where a stopped daemon will find it. A store that is there is kept beside it, as `….before-restore`.
 * @throws BrokerError INVALID_INPUT when the backup is damaged, of other keys or a later version, or the store is there or in use
 */
export function restoreBackup(dir: string, target: RestoreTarget, isOverwriting: boolean): BackupManifest {
  const manifest = checkBackup(dir)
  const { storeFile, keysDir } = target
  if (existsSync(storeFile)) {
    if (!isOverwriting)
      throw new BrokerError('INVALID_INPUT', `${storeFile} exists`, {
        hint: 'To replace it, add --overwrite; it is kept beside it.',
      })
    refuseInUse(storeFile)
  }
  putKeys(join(dir, keysName), keysDir, manifest)
  mkdirSync(dirname(storeFile), { recursive: true, mode: 0o700 })
  const part = `${storeFile}.part`
  rmSync(part, { force: true })
  copyPrivately(join(dir, storeName), part)
  for (const end of ['-wal', '-shm', ''])
    if (existsSync(`${storeFile}${end}`)) renameSync(`${storeFile}${end}`, `${storeFile}.before-restore${end}`)
  renameSync(part, storeFile)
  syncFile(dirname(storeFile))
  return manifest
}

function checkBackup(dir: string): BackupManifest {
  const manifest = readManifest(dir)
  const store = join(dir, storeName)
  if (statSync(store).size !== manifest.bytes || hashOf(store) !== manifest.sha256)
    throw new BrokerError('INVALID_INPUT', `${store} is damaged: it does not match its manifest`)
  if (!(manifest.schema in migrations))
    throw new BrokerError('INVALID_INPUT', `the backup is of a later version (${manifest.schema})`, {
      hint: 'Restore it with the version that made it, or a later one.',
    })
  return manifest
}

function readManifest(dir: string): BackupManifest {
  try {
    const manifest = JSON.parse(readFileSync(join(dir, manifestName), 'utf8')) as BackupManifest
    if (manifest.v !== 1) throw new Error(`its version is ${manifest.v}`)
    return manifest
  } catch (cause) {
    throw new BrokerError('INVALID_INPUT', `${dir} is not a backup: ${(cause as Error).message}`, { cause })
  }
}

function refuseInUse(storeFile: string): void {
  try {
    const db = new DatabaseSync(storeFile, { timeout: 0 })
    try {
      db.exec('begin exclusive; rollback')
    } finally {
      db.close()
    }
  } catch (cause) {
    if (!/locked|busy/.test((cause as Error).message)) return // a damaged one may be replaced
    throw new BrokerError('INVALID_INPUT', `${storeFile} is in use: stop the daemon first`, { cause })
  }
}

function putKeys(from: string, keysDir: string, { keys }: BackupManifest): void {
  if (missingKeys(keysDir).length > 0) {
    if (!existsSync(from))
      throw new BrokerError('INVALID_INPUT', `keys.dir (${keysDir}) has no keys, and the backup holds none`, {
        hint: 'Put back the keys of this store first.',
      })
    mkdirSync(keysDir, { recursive: true, mode: 0o700 })
    if (readdirSync(keysDir).length > 0)
      throw new BrokerError('INVALID_INPUT', `keys.dir (${keysDir}) is incomplete and not empty`)
    copyKeys(from, keysDir)
  }
  const { ids } = openKeyring(keysDir)
  const others = keyFiles.filter((name) => ids[name] !== keys[name])
  if (others.length > 0)
    throw new BrokerError('INVALID_INPUT', `keys.dir (${keysDir}): not the ${others.join(', ')} of this backup`)
}
