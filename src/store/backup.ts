/**
 * A backup is a folder: `store.db`, `manifest.json`, and `keys` where they were asked for. It gets its name when it is complete.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { BrokerError } from '../../proxy/session.ts'
import { copyPrivately, syncFile } from './files.ts'
import { keyFiles } from './keyring.ts'

export const storeName = 'store.db'
export const manifestName = 'manifest.json'
export const keysName = 'keys'

export interface StoreFacts {
  readonly installation: string
  /** The newest migration of the store. */
  readonly schema: string
  /** Ids of the keys that the store belongs to, as far as it knows them. */
  readonly keys: Readonly<Record<string, string>>
  /** How far the audit log had come. */
  readonly seq: number
  readonly bytes: number
  /** Hex SHA-256 of the store. */
  readonly sha256: string
}

export interface BackupManifest extends StoreFacts {
  readonly v: 1
  /** Epoch milliseconds. */
  readonly madeAt: number
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
    syncFile(part)
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
  syncFile(to)
}

/**
 * Leaves one file without companions.
 * @param name for the error, when this is a copy
 * @throws BrokerError INVALID_INPUT for what is no whole store of the broker
 */
export function describeStore(path: string, name = path): StoreFacts {
  const db = new DatabaseSync(path)
  try {
    db.exec('pragma journal_mode = delete')
    const [check] = db.prepare('pragma quick_check(1)').all() as { quick_check: string }[]
    if (check?.quick_check !== 'ok') throw new Error(check?.quick_check)
    const text = (sql: string) => String(Object.values(db.prepare(sql).get() ?? {})[0] ?? '')
    return {
      installation: text("select value from settings where key = 'installation'"),
      schema: text('select max(name) from kysely_migration'),
      keys: JSON.parse(text("select value from settings where key = 'keys'") || '{}') as Record<string, string>,
      seq: Number(text('select max(seq) from audit_events')),
      bytes: statSync(path).size,
      sha256: hashOf(path),
    }
  } catch (cause) {
    throw new BrokerError('INVALID_INPUT', `${name} is not a whole store: ${(cause as Error).message}`, { cause })
  } finally {
    db.close()
  }
}

export function hashOf(path: string): string {
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
