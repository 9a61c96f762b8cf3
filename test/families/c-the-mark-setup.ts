import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Test } from 'tap'
import type { AuditEvent } from '../../src/audit/audit.ts'
import { createAuditLog } from '../../src/audit/create-audit.ts'
import type { Config } from '../../src/config/config.ts'
import { openJudgedStore, openMark } from '../../src/daemon/judged-store.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { config } from '../src/access/access-setup.ts'

/** Store, keys, state and anchor of one machine, without the rest of a daemon. */
export interface Machine {
  readonly dir: string
  readonly store: string
  readonly stateDir: string
  readonly keysDir: string
  readonly anchor: string
}

export function newMachine(t: Pick<Test, 'teardown'>): Machine {
  const dir = mkdtempSync(path.join(tmpdir(), 'sallyport-mark-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return machineIn(dir)
}

function machineIn(dir: string): Machine {
  return {
    dir,
    store: path.join(dir, 'sallyport.db'),
    stateDir: path.join(dir, 'state'),
    keysDir: path.join(dir, 'keys'),
    anchor: path.join(dir, 'anchor.jsonl'),
  }
}

/** All of it, as a snapshot of the machine has it. */
export function copyOf(t: Pick<Test, 'teardown'>, machine: Machine): Machine {
  const copy = newMachine(t)
  replace(copy, machine)
  return copy
}

export function replace(machine: Machine, by: Machine): void {
  rmSync(machine.dir, { recursive: true })
  cpSync(by.dir, machine.dir, { recursive: true })
}

export function edit(machine: Machine, sql: string): void {
  const db = new DatabaseSync(machine.store)
  db.exec(sql)
  db.close()
}

const quiet = createLogger({ level: 'silent' })

export function configOf(machine: Machine) {
  const base = config()
  return {
    ...base,
    store: { url: `sqlite:${machine.store}`, graceMs: 0 },
    keysDir: machine.keysDir,
    stateDir: machine.stateDir,
    audit: { checkpointEveryMs: 300_000, checkpointEvents: 1000, anchors: [{ file: machine.anchor }] },
  }
}

/** What a start would find. @returns why it stays closed, or null */
export async function judge(machine: Machine): Promise<string | null> {
  await using closing = new AsyncDisposableStack()
  const { judgement } = await openJudgedStore(configOf(machine), quiet, closing)
  return judgement.isOpen ? null : judgement.why
}

/**
 * A daemon's life: opens, writes these events one commit each, makes a checkpoint, stops.
 * @param atCrash gets a copy of the machine as it is before the stop
 * @returns why it stayed closed, or null
 */
export async function live(machine: Machine, events: readonly AuditEvent[], atCrash?: Machine): Promise<string | null> {
  return await liveWith(configOf(machine), events, atCrash && (() => replace(atCrash, machine)))
}

/** The same with any store. @param beforeStop called when all is written */
export async function liveWith(
  settings: Config,
  events: readonly AuditEvent[],
  beforeStop?: () => void,
): Promise<string | null> {
  await using closing = new AsyncDisposableStack()
  const judged = await openJudgedStore(settings, quiet, closing)
  const { judgement } = judged
  if (!judgement.isOpen) return judgement.why
  const mark = await openMark(settings, { ...judged, judgement }, closing)
  const audit = await createAuditLog({
    db: judged.db,
    installation: judged.installation,
    keyring: judged.keyring,
    clock: { now: () => Date.now() },
    logger: quiet,
    metrics: createMetrics(),
    config: settings.audit,
    spoolPath: path.join(settings.stateDir, 'audit.spool'),
    mark,
    fork: judgement.found.fork,
    heads: () => [],
  })
  const known = await audit.search({ types: ['mark.created'] })
  if (known.events.length === 0)
    await audit.append({ type: 'mark.created', actor: 'system', fields: { mark: mark.id } })
  for (const event of events) await audit.append(event)
  beforeStop?.()
  await audit.stop()
  return null
}

export const locked = (principal: string): AuditEvent => ({
  type: 'principal.locked',
  actor: 'prn_carol',
  fields: { principal, locked_at: 1 },
})

export const ended = (grant: string): AuditEvent => ({
  type: 'grant.revoked',
  actor: 'prn_bob',
  fields: { grant, version: 2, ends_at: Date.now() + 3_600_000 },
})

export const started = (session: string): AuditEvent => ({
  type: 'session.started',
  actor: 'prn_alice',
  fields: { session },
})
