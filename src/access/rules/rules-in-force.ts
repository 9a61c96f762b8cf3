import type { AuditEvent, AuditLog } from '../../audit/audit.ts'
import { sortedJson } from '../../audit/canonical.ts'
import { type Catalog, LiveCatalog } from '../../catalog/catalog.ts'
import { notImported } from '../../catalog/imports.ts'
import { type Kinds, kindNamed } from '../../catalog/kind.ts'
import type { Resource } from '../../catalog/resource.ts'
import type { Config } from '../../config/config.ts'
import { newId } from '../../store/ids.ts'
import type { Clock } from '../../telemetry/clock.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { AccessStore } from '../rows/access-store.ts'
import type { RuleProblem } from './findings.ts'
import { loadRules } from './load-rules.ts'
import { diffRevisions, type Revision, type RevisionDiff } from './revision.ts'
import type { RuleSet } from './rule.ts'
import { StaleResources } from './stale-resources.ts'

export interface RulesDeps {
  readonly store: Pick<AccessStore, 'lastRevision' | 'insertingRevision'>
  readonly audit: Pick<AuditLog, 'append' | 'appendRemoval'>
  readonly clock: Clock
  readonly metrics: Pick<Metrics, 'rulesDigestMismatch'>
  readonly kinds: Kinds
}

export type Reloaded =
  | {
      readonly ok: true
      readonly digest: string
      readonly warnings: readonly RuleProblem[]
      /** Ids of resources that leave the catalog with it. */
      readonly leaving: readonly string[]
    }
  | { readonly ok: false; readonly problems: readonly RuleProblem[]; readonly warnings: readonly RuleProblem[] }

export type Preview =
  | {
      readonly ok: true
      readonly inForce: RulesInForce
      /** Ids of resources that would leave the catalog. */
      readonly leaving: readonly string[]
      /** What was loaded last here. */
      readonly before: Config | undefined
      readonly diff: RevisionDiff
    }
  | { readonly ok: false; readonly problems: readonly RuleProblem[] }

/** The rules by which this daemon judges now; none before the first load, so everything is denied. */
export class RulesInForce {
  readonly #deps: RulesDeps
  #rules: RuleSet = { digest: '', rules: [], levelSets: [] }
  #catalog: LiveCatalog
  #loadedAt: number | null = null
  #config: Config | null = null
  /** All that the inventory knows, whether the catalog has it or not. */
  #found = new Map<string, Resource>()
  /** Of some that it knows no longer, why, in words. */
  readonly #gone = new Map<string, string>()
  readonly #stale: StaleResources
  /** Rules that some daemon of the store loaded last, as the log tells it. */
  #newest = { digest: '', seq: 0 }

  constructor(deps: RulesDeps) {
    this.#deps = deps
    this.#catalog = new LiveCatalog(deps.kinds, [])
    this.#stale = new StaleResources(deps.kinds)
  }

  get rules(): RuleSet {
    return this.#rules
  }

  get catalog(): Catalog {
    return this.#catalog
  }

  get loadedAt(): number | null {
    return this.#loadedAt
  }

  /** Whether no other daemon has loaded other rules since, and all that is found of a resource, and of where it stands, is in the catalog. */
  isNewestFor(resourceId: string): boolean {
    return this.#newest.digest === this.#rules.digest && !this.#stale.has(resourceId)
  }

  /** Some daemon has loaded rules. @param seq of the event that says so */
  noteLoaded(digest: string, seq: number): void {
    if (seq > this.#newest.seq) this.#newest = { digest, seq }
  }

  /** Some daemon has found that these have changed: until it is in the catalog here, nothing ends for want of it. @param seq of the event */
  noteInventory(ids: readonly string[], seq: number): void {
    this.#stale.note(ids, seq)
  }

  /**
   * Brings what the inventory knows of some resources into the catalog.
   * @param seq of the last event that is in it @param why some are gone, in words, by id
   * @returns what is to be judged again: resources by id, or all
   */
  useInventory(
    found: readonly Resource[],
    gone: readonly string[],
    seq: number,
    why: ReadonlyMap<string, string> = new Map(),
  ): ReadonlySet<string> | 'all' {
    for (const id of gone) this.#found.delete(id)
    for (const [id, reason] of why) this.#gone.set(id, reason)
    for (const resource of found) {
      this.#found.set(resource.id, resource)
      this.#gone.delete(resource.id)
    }
    const ids = [...gone, ...found.map(({ id }) => id)]
    const isOfAll = this.#stale.settle(ids, seq)
    const changed = this.#catalog.use(new Map(ids.map((id) => [id, this.#imported(id)])))
    return isOfAll ? 'all' : new Set([...changed, ...ids])
  }

  /** Why a resource is not in the catalog, in words; null: nothing is known of it. */
  whyNotThere(resourceId: string): string | null {
    const gone = this.#gone.get(resourceId)
    if (gone !== undefined) return gone
    const found = this.#found.get(resourceId)
    const kind = found && kindNamed(this.#deps.kinds, found.kind)
    return found && kind && this.#config ? notImported(kind, this.#config.inventory, found, false) : null
  }

  #imported(id: string, catalog: LiveCatalog = this.#catalog): Resource | null {
    const found = this.#found.get(id)
    const kind = found && kindNamed(this.#deps.kinds, found.kind)
    const config = this.#config
    if (!found || !kind || !config) return null
    return notImported(kind, config.inventory, found, catalog.isWritten(id)) === null ? found : null
  }

  /**
   * Applies the rules of a configuration, once they are stored and audited. Invalid ones are rejected, and the old ones stay.
   * @throws BrokerError AUDIT_UNAVAILABLE, STORE_UNAVAILABLE; the old rules stay
   */
  async load(config: Config): Promise<Reloaded> {
    this.#deps.metrics.rulesDigestMismatch.set(1) // until the rules of the file are in force
    const loaded = loadRules(config, this.#deps.kinds)
    if (!loaded.ok) {
      await this.#deps.audit.appendRemoval(rulesRefused(loaded.problems))
      return loaded
    }
    const { rules, catalog, warnings } = loaded
    await this.#record(rules.digest, config)
    const leaving = this.#use(rules, catalog, config)
    this.#deps.metrics.rulesDigestMismatch.set(0)
    return { ok: true, digest: rules.digest, warnings, leaving }
  }

  /** What would be in force with a configuration. Nothing is stored or said of it, and nothing changes here. */
  preview(config: Config): Preview {
    const loaded = loadRules(config, this.#deps.kinds)
    if (!loaded.ok) return loaded
    const next = new RulesInForce(this.#deps)
    next.#found = new Map(this.#found)
    next.#catalog = this.#catalog
    const leaving = next.#use(loaded.rules, loaded.catalog, config)
    next.#newest = { digest: loaded.rules.digest, seq: 0 }
    const before = this.#config ?? undefined
    return { ok: true, inForce: next, leaving, before, diff: diffRevisions(before, config) }
  }

  /** @returns ids of the resources that leave the catalog */
  #use(rules: RuleSet, catalog: LiveCatalog, config: Config): string[] {
    this.#config = config
    catalog.use(new Map(Array.from(this.#found.keys(), (id) => [id, this.#imported(id, catalog)])))
    const leaving = this.#catalog.all.flatMap(({ id }) => (catalog.get(id) ? [] : [id]))
    this.#rules = rules
    this.#catalog = catalog
    this.#loadedAt = this.#deps.clock.now()
    return leaving
  }

  async #record(digest: string, { access, levels, resources }: Config): Promise<void> {
    const { store, audit, clock } = this.#deps
    const last = await store.lastRevision()
    const revision: Revision = { access, levels, resources }
    const diff = diffRevisions(last && (JSON.parse(last.content) as Revision), revision)
    await Promise.all(resourceEvents(diff).map((event) => audit.append(event)))
    const row = { id: newId('rev'), digest, content: sortedJson(revision), loaded_at: clock.now() }
    const writes = last?.digest === digest ? [] : [store.insertingRevision(row)]
    const { seq } = await audit.append(loadedEvent(digest, last?.digest ?? null, diff), writes)
    this.noteLoaded(digest, seq)
  }
}

/** A configuration was rejected. */
export function rulesRefused(problems: readonly RuleProblem[]): AuditEvent {
  const shown = problems.slice(0, 20).map(({ path, message }) => `${path}: ${message}`)
  return {
    type: 'rules.refused',
    actor: 'system',
    fields: { problems: problems.length, paths: problems.slice(0, 20).map(({ path }) => path) },
    text: { problems: shown.join('\n') },
  }
}

function loadedEvent(digest: string, previous: string | null, { rules, levelsChanged }: RevisionDiff): AuditEvent {
  return {
    type: 'rules.loaded',
    actor: 'system',
    fields: {
      digest,
      previous,
      added: rules.added,
      removed: rules.removed,
      changed: rules.changed,
      levels_changed: levelsChanged,
    },
  }
}

/** Tags decide who may request a resource, so a change of the catalog is audited too. */
function resourceEvents({ resources }: RevisionDiff): AuditEvent[] {
  return Object.entries(resources).flatMap(([change, ids]) =>
    ids.map(
      (resource: string) => ({ type: 'resource.changed', actor: 'system', fields: { resource, change } }) as const,
    ),
  )
}
