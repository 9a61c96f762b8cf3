import { randomBytes } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { mkdtempSync, rmSync } from 'node:fs'
import { BoundSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type ConnectionLimits, limitsFor } from '../../../proxy/ports/connections.ts'
import { mostOpenFiles } from '../../../proxy/ports/open-files.ts'
import type { HostPort } from '../../config/config.ts'
import type { LostSession } from '../../sessions/recover-sessions.ts'
import { endWorkOf } from '../lost-daemons.ts'
import type { Parts } from '../parts.ts'
import { Front, type FrontDeps } from './front.ts'

/**
 * Binds the ports of the protocols, and starts the processes that listen there. This process never accepts: what waits there is for
 * the front that is free.
 * @throws NodeJS.ErrnoException EADDRINUSE, EACCES …; Error when one does not get ready
 */
export async function startFronts(parts: Parts, control: ControlSocket, closing: AsyncDisposableStack): Promise<void> {
  const { clock, config, kinds, logger, metrics, recordings, sessions } = parts
  const { server, limits, store } = config
  const ports = kinds.protocols.flatMap((protocol) =>
    (config.listeners[protocol] ?? []).map((listener) => ({ ...listener, protocol })),
  )
  const fds: number[] = []
  for (const { listen } of [...ports, server]) {
    const bound = await bind(listen)
    closing.defer(() => bound.close())
    fds.push(bound.fd())
  }
  const closed = new AbortController()
  closing.defer(() => closed.abort())
  const fronts: Front[] = []
  const endWork = async (lost: readonly LostSession[]) => {
    while (!fronts.some(({ isReady }) => isReady) && !closed.signal.aborted) await wait(100)
    if (!closed.signal.aborted) await endWorkOf(parts, lost)
  }
  const deps: FrontDeps = {
    ...{ sessions, recordings, logger, ports, fds },
    http: { listen: server.listen, tls: server.tls, proxyProtocol: server.proxyProtocol, control },
    settings: {
      protocols: kinds.protocols,
      trustedProxies: server.trustedProxies,
      connections: shareOf(limitsFor(limits.sessions, mostOpenFiles()), server.workers),
      recordings: config.recordings,
      graceMs: store.graceMs,
    },
    onLost: (lost) => void endWork(lost),
    onReport: (front, { lagBytes, loopDelay, residentBytes, cpuSeconds }) => {
      const by = { front: String(front) }
      metrics.frontResidentBytes.set(by, residentBytes)
      metrics.frontCpuSeconds.set(by, cpuSeconds)
      metrics.frontRecordingLagBytes.set(by, lagBytes)
      for (const [quantile, seconds] of Object.entries(loopDelay))
        metrics.frontLoopDelaySeconds.set({ ...by, quantile }, seconds)
    },
    onRecordedTooMuch: (principalId, why) => {
      const notice = { reason: 'recording-failed', text: why.message, decidedAt: clock.now() } as const
      sessions.cutOf(principalId, notice)
    },
  }
  for (let i = 0; i < server.workers; i += 1) {
    const front = new Front(deps)
    fronts.push(front)
    closing.defer(() => front.close())
  }
  await Promise.all(fronts.map((front) => front.start()))
}

/** So that all fronts together admit what one process would. */
function shareOf({ total, waiting, waitingPerAddress }: ConnectionLimits, fronts: number): ConnectionLimits {
  const share = (count: number) => Math.max(2, Math.ceil(count / fronts))
  return { total: share(total), waiting: share(waiting), waitingPerAddress: share(waitingPerAddress) }
}

/** Where control takes what fronts pass on. */
export interface ControlSocket {
  readonly path: string
  readonly secret: string
}

/** In a folder that only this user may enter, with a short name: paths of sockets are at most 107 bytes. */
export function controlSocket(closing: AsyncDisposableStack): ControlSocket {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-'))
  closing.defer(() => rmSync(dir, { recursive: true, force: true }))
  return { path: join(dir, 'control'), secret: randomBytes(32).toString('base64url') }
}

/** @throws NodeJS.ErrnoException as the binding does */
async function bind({ host, port }: HostPort): Promise<BoundSocket> {
  const { address } = await lookup(host) // numbers stay as they are
  return new BoundSocket({ host: address, port })
}
