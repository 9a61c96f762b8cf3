/**
 * The way back of a backup. At every instant the path of the store has a whole one, the old or the new; what was replaced is kept.
 */
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { BrokerError } from '../../proxy/session.ts'
import {
  type BackupManifest,
  describeStore,
  hashOf,
  keysName,
  manifestName,
  type StoreFacts,
  storeName,
} from './backup.ts'
import { copyPrivately, removeStore, syncFile } from './files.ts'
import { keyFiles, missingKeys, openKeyring } from './keyring.ts'
import { migrations } from './migrations/index.ts'

export interface PutBackTarget {
  readonly storeFile: string
  readonly keysDir: string
}

export interface PutBack extends StoreFacts {
  /** Epoch milliseconds; null for a file without a manifest. */
  readonly madeAt: number | null
  /** Where the store is that was there; null when there was none. */
  readonly keptAs: string | null
}

/**
 * Puts a backup, or the file of a store, where a stopped daemon will find it.
 * @throws BrokerError INVALID_INPUT when it is damaged, of other keys or a later version, or a store is there or in use
 */
export function putBack(from: string, { storeFile, keysDir }: PutBackTarget, isOverwriting: boolean): PutBack {
  const { file, keys, madeAt } = sourceOf(from)
  if (existsSync(storeFile)) {
    if (isSame(file, storeFile)) throw new BrokerError('INVALID_INPUT', `${file} is the store itself`)
    if (!isOverwriting)
      throw new BrokerError('INVALID_INPUT', `${storeFile} exists`, {
        hint: 'To replace it, add --overwrite; it is kept beside it.',
      })
    settle(storeFile)
  }
  const dir = dirname(storeFile)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const part = `${storeFile}.part`
  removeStore(part) // of a restore that was interrupted
  try {
    for (const end of ['', '-wal']) if (existsSync(`${file}${end}`)) copyPrivately(`${file}${end}`, `${part}${end}`)
    const facts = describeStore(part, file)
    if (!(facts.schema in migrations))
      throw new BrokerError('INVALID_INPUT', `the backup is of a later version (${facts.schema})`, {
        hint: 'Restore it with the version that made it, or a later one.',
      })
    putKeys(keys, keysDir, facts)
    const keptAs = keep(storeFile)
    syncFile(dir)
    // Left here, the log of the old store would be replayed into the new one.
    for (const end of ['-wal', '-shm']) rmSync(`${storeFile}${end}`, { force: true })
    renameSync(part, storeFile)
    syncFile(dir)
    return { ...facts, madeAt, keptAs }
  } catch (error) {
    removeStore(part)
    throw error
  }
}

interface Source {
  readonly file: string
  /** A folder that may be there. */
  readonly keys: string
  readonly madeAt: number | null
}

function sourceOf(from: string): Source {
  if (!existsSync(from)) throw new BrokerError('INVALID_INPUT', `${from} is not there`)
  const dir = statSync(from).isDirectory() ? from : dirname(from)
  const isBackup = dir === from || (basename(from) === storeName && existsSync(join(dir, manifestName)))
  const keys = join(dir, keysName)
  if (isBackup) return { file: join(dir, storeName), keys, madeAt: checkBackup(dir).madeAt }
  refuseInUse(from, true, (db) => db.exec('select count(*) from sqlite_schema'))
  return { file: from, keys, madeAt: null }
}

function checkBackup(dir: string): BackupManifest {
  const manifest = readManifest(dir)
  const store = join(dir, storeName)
  if (!existsSync(store) || statSync(store).size !== manifest.bytes || hashOf(store) !== manifest.sha256)
    throw new BrokerError('INVALID_INPUT', `${store} is damaged: it does not match its manifest`)
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

/** Brings all that a killed daemon had written into the one file. */
function settle(storeFile: string): void {
  refuseInUse(storeFile, false, (db) => db.exec('begin exclusive; rollback; pragma journal_mode = delete'))
}

function refuseInUse(path: string, readOnly: boolean, use: (db: DatabaseSync) => void): void {
  try {
    const db = new DatabaseSync(path, { timeout: 0, readOnly })
    try {
      use(db)
    } finally {
      db.close()
    }
  } catch (cause) {
    if (!/locked|busy/.test((cause as Error).message)) return // a damaged one may be replaced, and is found out as a source
    throw new BrokerError('INVALID_INPUT', `${path} is in use: stop the daemon first`, { cause })
  }
}

/** A second name for what will be replaced, so that neither name is empty in between. An earlier one is never overwritten. */
function keep(storeFile: string): string | null {
  const ends = ['', '-wal'].filter((end) => existsSync(`${storeFile}${end}`))
  if (ends.length === 0) return null
  for (let n = 1; ; n++) {
    const kept = `${storeFile}.before-restore${n === 1 ? '' : `-${n}`}`
    const isTaken = ['', '-wal'].some(
      (end) => existsSync(`${kept}${end}`) && !isSame(`${kept}${end}`, `${storeFile}${end}`),
    )
    if (isTaken) continue
    for (const end of ends) if (!existsSync(`${kept}${end}`)) linkSync(`${storeFile}${end}`, `${kept}${end}`)
    return kept
  }
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false }))
  return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev
}

function putKeys(from: string, keysDir: string, { keys }: StoreFacts): void {
  if (missingKeys(keysDir).length > 0) copyKeysBack(from, keysDir)
  const { ids } = openKeyring(keysDir)
  const others = keyFiles.filter((name) => keys[name] !== undefined && ids[name] !== keys[name])
  if (others.length > 0)
    throw new BrokerError('INVALID_INPUT', `keys.dir (${keysDir}): not the ${others.join(', ')} of this backup`)
}

/** Again after a kill, too: what is there already must be the same. */
function copyKeysBack(from: string, keysDir: string): void {
  if (missingKeys(from).length > 0)
    throw new BrokerError('INVALID_INPUT', `keys.dir (${keysDir}) has no keys, and the backup holds none`, {
      hint: 'Put back the keys of this store first.',
    })
  mkdirSync(keysDir, { recursive: true, mode: 0o700 })
  const names = new Set<string>(keyFiles)
  const isKnown = (name: string) =>
    names.has(name)
      ? readFileSync(join(keysDir, name)).equals(readFileSync(join(from, name)))
      : names.has(name.replace(/\.part$/, ''))
  const others = readdirSync(keysDir).filter((name) => !isKnown(name))
  if (others.length > 0)
    throw new BrokerError('INVALID_INPUT', `keys.dir (${keysDir}) is incomplete and holds ${others.join(', ')}`)
  for (const name of keyFiles) {
    const part = join(keysDir, `${name}.part`)
    rmSync(part, { force: true })
    copyPrivately(join(from, name), part)
    renameSync(part, join(keysDir, name))
  }
  syncFile(keysDir)
}
