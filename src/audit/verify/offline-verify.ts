import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { Kysely, SqliteDialect } from 'kysely'
import { BrokerError } from '../../../proxy/session.ts'
import { checkRecordingFile } from '../../recordings/recording-check.ts'
import type { Database } from '../../store/schema.ts'
import { createAuditStore } from '../audit-store.ts'
import { exportSource } from '../export.ts'
import { fileLines } from '../read-lines.ts'
import { storeSource } from './store-source.ts'
import { type AuditReport, type AuditSource, verifyAudit } from './verify.ts'

export interface OfflineOptions {
  /** `sqlite:PATH` of a copy, or of the store of a stopped daemon. */
  readonly store?: string
  /** File written by `audit export`. */
  readonly exportFile?: string
  readonly publicKeyPem: string
  readonly anchorFiles: readonly string[]
  /** Folder of recordings. */
  readonly recordings?: string
}

/**
 * Checks a log without its daemon; nothing is written.
 * @throws BrokerError STORE_UNAVAILABLE, CONFIG_INVALID, INVALID_INPUT
 */
export async function verifyOffline(options: OfflineOptions): Promise<AuditReport> {
  const { store, exportFile, recordings } = options
  if ((store === undefined) === (exportFile === undefined)) {
    throw new BrokerError('INVALID_INPUT', 'expected either --store or --export')
  }
  const db = store === undefined ? undefined : openReadOnly(store)
  try {
    return await verifyAudit({
      source: db ? storeSource(createAuditStore(db), db) : readExport(exportFile ?? ''),
      publicKeyPem: options.publicKeyPem,
      anchors: options.anchorFiles.map((name) => ({ name, lines: fileLines(name) })),
      ...(recordings === undefined ? {} : { checkRecording: (end) => checkRecordingFile(recordings, end) }),
    })
  } catch (cause) {
    throw cause instanceof BrokerError
      ? cause
      : new BrokerError('STORE_UNAVAILABLE', explain(cause as Error), { cause })
  } finally {
    await db?.destroy()
  }
}

function readExport(path: string): AuditSource {
  return exportSource(fileLines(path))
}

function explain(error: Error): string {
  return /locked|busy/.test(error.message)
    ? 'a daemon is using it; run audit verify against that daemon, or check a copy'
    : error.message
}

/** Read-only, so that evidence stays as it is. */
function openReadOnly(url: string): Kysely<Database> {
  const path = /^sqlite:(.+)$/.exec(url)?.[1]
  if (path === undefined) throw new BrokerError('CONFIG_INVALID', 'expected --store sqlite:PATH')
  if (!existsSync(path)) throw new BrokerError('STORE_UNAVAILABLE', `no such file: ${path}`)
  const database = openFile(resolve(path))
  return new Kysely<Database>({
    dialect: new SqliteDialect({
      database: {
        close: () => database.close(),
        prepare: (sql) => {
          const statement = database.prepare(sql)
          const values = (parameters: readonly unknown[]) => parameters as readonly SQLInputValue[]
          return {
            reader: true,
            all: (parameters) => statement.all(...values(parameters)),
            run: (parameters) => statement.run(...values(parameters)),
            iterate: (parameters) => statement.iterate(...values(parameters)),
          }
        },
      },
    }),
  })
}

/** Without a write-ahead log beside it the file is whole: then it needs no lock, and a read-only folder is enough. */
function openFile(path: string): DatabaseSync {
  if (existsSync(`${path}-wal`)) return new DatabaseSync(path, { readOnly: true })
  const url = pathToFileURL(path)
  url.searchParams.set('immutable', '1')
  return new DatabaseSync(url, { readOnly: true })
}
