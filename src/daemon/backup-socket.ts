import { chmodSync, closeSync, openSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { listen } from '../../proxy/ports/listen.ts'
import type { AuditLog } from '../audit/audit.ts'
import { removeStore } from '../store/files.ts'
import { newTokenId } from '../store/ids.ts'
import { backupSocketOf } from '../store/state-dir.ts'
import { copierOf, type Db } from '../store/store.ts'
import type { Logger } from '../telemetry/logger.ts'

export interface BackupDeps {
  readonly config: { readonly stateDir: string }
  readonly db: Db
  readonly audit: Pick<AuditLog, 'append'>
  readonly logger: Logger
}

const waitMs = 5000
const copyName = /^backup-[0-9a-z]+\.db(-journal|-wal|-shm)?$/

/**
 * Makes copies of the store for `sallyport backup` on this machine. Nobody else reaches the socket: its folder is the daemon's own, and
 * its user could read the store without it. The copy is deleted when the asker hangs up.
 */
export async function serveBackups(deps: BackupDeps, closing: AsyncDisposableStack): Promise<void> {
  const { config, logger } = deps
  const path = backupSocketOf(config.stateDir)
  removeCopies(config.stateDir)
  rmSync(path, { force: true }) // only one daemon has this store
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    void answer(deps, socket)
  })
  server.maxConnections = 2
  try {
    await listen(server, { path }, (error) => logger.error({ err: error, path }, 'the socket of backups failed'))
    chmodSync(path, 0o600)
  } catch (error) {
    logger.error({ err: error, path }, 'sallyport backup cannot be served')
    return
  }
  closing.defer(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
}

function removeCopies(dir: string): void {
  for (const name of readdirSync(dir)) if (copyName.test(name)) rmSync(join(dir, name))
}

/** One line asks, one line answers. */
async function answer({ config, db, audit, logger }: BackupDeps, socket: Socket): Promise<void> {
  const copy = join(config.stateDir, `backup-${newTokenId()}.db`)
  let isGone = false
  socket.on('error', () => {}) // the asker was killed
  socket.once('close', () => {
    isGone = true
    removeStore(copy)
  })
  try {
    const keys = await readAsk(socket)
    const copyTo = copierOf(db)
    await audit.append({ type: 'store.backed-up', actor: 'system', fields: { keys } })
    closeSync(openSync(copy, 'wx', 0o600))
    await copyTo(copy)
    if (isGone) removeStore(copy)
    else socket.write(`${JSON.stringify({ copy })}\n`)
  } catch (error) {
    logger.error({ err: error }, 'a backup failed')
    if (isGone) removeStore(copy)
    else socket.end(`${JSON.stringify({ error: (error as Error).message })}\n`)
  }
}

/** @returns whether the asker also copies the keys */
function readAsk(socket: Socket): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('nothing was asked')), waitMs)
    timer.unref()
    socket.once('close', () => reject(new Error('the connection was closed')))
    socket.once('data', (line) => {
      clearTimeout(timer)
      if (line.length > 100) reject(new Error('the question is too long'))
      else resolve(line.toString().trim() === 'backup with keys')
    })
  })
}
