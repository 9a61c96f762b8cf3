import { isDeepStrictEqual } from 'node:util'
import { formatDuration } from '../../../proxy/duration.ts'
import type { Access } from '../../access/access.ts'
import type { ReloadPlan } from '../../access/plan-reload.ts'
import type { Config, LoadedConfig } from '../../config/config.ts'
import type { ConfigPlan } from '../../contract/policy.ts'
import type { ReadGrantUse } from '../../sessions/session-usage.ts'
import { needRestart } from './reload.ts'

export interface PlanDeps {
  readonly access: Pick<Access, 'plan'>
  /** That the daemon was started with. */
  readonly config: Config
  readonly useOf: ReadGrantUse
  /** The file, as a reload would load it. */
  load(): Promise<LoadedConfig>
}

const mostNames = 100
const mostRows = 500
/** Grants of one query. */
const grantsAtOnce = 200

/** What a reload would do now. One at a time: who asks meanwhile gets the same answer. */
export function createReloadPlan(deps: PlanDeps): () => Promise<ConfigPlan> {
  let running: Promise<ConfigPlan> | undefined
  return async () => {
    running ??= plan(deps).finally(() => {
      running = undefined
    })
    return await running
  }
}

async function plan({ access, config, load, useOf }: PlanDeps): Promise<ConfigPlan> {
  const loaded = await load()
  if (!loaded.ok) return refused(loaded.problems)
  const found = await access.plan(loaded.config)
  if (!found.ok) return refused(found.problems)
  const { grants, requests, leaving, diff, before } = found
  const open = await openSessions(grants, useOf)
  const rows = grants.map((grant) => ({ ...grant, sessions: open.get(grant.id) ?? 0 }))
  const settings = before ? settingsChanged(before, loaded.config.inventory) : []
  return {
    ok: true,
    problems: [],
    isSame: found.isSame && settings.length === 0,
    settings,
    rules: named(diff.rules),
    resources: named(diff.resources),
    levelsChanged: diff.levelsChanged,
    afterRestart: needRestart.filter((section) => !isDeepStrictEqual(loaded.config[section], config[section])),
    leaving: { total: leaving.length, first: leaving.slice(0, mostNames) },
    sessions: rows.reduce((sum, { endsAt, sessions }) => sum + (endsAt === null ? sessions : 0), 0),
    grants: { total: rows.length, first: rows.slice(0, mostRows) },
    requests: { total: requests.length, first: requests.slice(0, mostRows) },
  }
}

const nothing = { added: [], removed: [], changed: [] }

function refused(problems: readonly { path: string; message: string; fix?: string }[]): ConfigPlan {
  const shown = problems.map(({ path, message, fix }) => ({ path, message, ...(fix === undefined ? {} : { fix }) }))
  const none = { total: 0, first: [] }
  return {
    ...{ ok: false, problems: shown, isSame: false, settings: [], rules: nothing, resources: nothing },
    ...{ levelsChanged: false, afterRestart: [], leaving: none, sessions: 0, grants: none, requests: none },
  }
}

function named({ added, removed, changed }: Extract<ReloadPlan, { ok: true }>['diff']['rules']) {
  return {
    added: added.slice(0, mostNames),
    removed: removed.slice(0, mostNames),
    changed: changed.slice(0, mostNames),
  }
}

async function openSessions(grants: readonly { readonly id: string }[], useOf: ReadGrantUse) {
  const open = new Map<string, number>()
  for (let from = 0; from < grants.length; from += grantsAtOnce) {
    const ids = grants.slice(from, from + grantsAtOnce).map(({ id }) => id)
    for (const [id, use] of await useOf(ids)) open.set(id, use.open)
  }
  return open
}

/** By the names that the file has for them. */
function settingsChanged(before: Config['inventory'], after: Config['inventory']): ConfigPlan['settings'] {
  const [old, now] = [shown(before), shown(after)]
  return [...new Set([...Object.keys(old), ...Object.keys(now)])].flatMap((path) => {
    const { [path]: from = 'not set' } = old
    const { [path]: to = 'not set' } = now
    return from === to ? [] : [{ path, from, to }]
  })
}

function shown(value: object, within = 'inventory'): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, member] of Object.entries(value)) {
    const path = `${within}.${name.replace(/Ms$/, '').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`
    if (member === null || member === undefined) continue
    if (Array.isArray(member)) found[path] = member.join(', ') || 'none'
    else if (typeof member === 'object') Object.assign(found, shown(member, path))
    else found[path] = name.endsWith('Ms') ? formatDuration(Number(member)) : String(member)
  }
  return found
}
