import type { AuditEvent, AuditLog } from '../../audit/audit.ts'
import { sortedJson } from '../../audit/canonical.ts'
import { type Catalog, createCatalog } from '../../catalog/catalog.ts'
import { notImported } from '../../catalog/imports.ts'
import { type Kinds, kindNamed } from '../../catalog/kind.ts'
import type { Resource } from '../../catalog/resource.ts'
import type { Config } from '../../config/config.ts'
import { newId } from '../../store/ids.ts'
import type { Clock } from '../../telemetry/clock.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { AccessStore } from '../rows/access-store.ts'
import type { RuleProblem } from './findings.ts'
import { type LoadedRules, loadRules } from './load-rules.ts'
import { diffRevisions, type Revision, type RevisionDiff } from './revision.ts'
import type { RuleSet } from './rule.ts'

export interface RulesDeps {
  readonly store: Pick<AccessStore, 'lastRevision' | 'insertingRevision'>
  readonly audit: Pick<AuditLog, 'append' | 'appendRemoval'>
  readonly clock: Clock
  readonly metrics: Pick<Metrics, 'rulesDigestMismatch'>
  readonly kinds: Kinds
}

export type Reloaded =
  | { readonly ok: true; readonly digest: string; readonly warnings: readonly RuleProblem[] }
  | { readonly ok: false; readonly problems: readonly RuleProblem[]; readonly warnings: readonly RuleProblem[] }

/** The rules by which this daemon judges now; none before the first load, so everything is denied. */
export class RulesInForce {
  readonly #deps: RulesDeps
  #rules: RuleSet = { digest: '', rules: [], levelSets: [] }
  #catalog: Catalog = createCatalog([])
  #loadedAt: number | null = null
  #config: Config | null = null
  /** What the inventory knows, up to which event of the log, and up to which event it could. */
  #inventory: { readonly resources: readonly Resource[]; readonly seq: number } = { resources: [], seq: 0 }
  #inventorySeq = 0
  /** Rules that some daemon of the store loaded last, as the log tells it. */
  #newest = { digest: '', seq: 0 }

  constructor(deps: RulesDeps) {
    this.#deps = deps
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

  /** Whether no other daemon has loaded other rules since, and all that the inventory has found is in the catalog. */
  get isNewest(): boolean {
    return this.#newest.digest === this.#rules.digest && this.#inventory.seq >= this.#inventorySeq
  }

  /** Some daemon has loaded rules. @param seq of the event that says so */
  noteLoaded(digest: string, seq: number): void {
    if (seq > this.#newest.seq) this.#newest = { digest, seq }
  }

  /** Some daemon has changed the inventory: until it is in the catalog here, nothing ends for want of it. @param seq of the event */
  noteInventory(seq: number): void {
    this.#inventorySeq = Math.max(this.#inventorySeq, seq)
  }

  /**
   * Makes the catalog anew with what the inventory knows.
   * @param seq of the last event that is in it @returns false: it takes effect with the first rules
   */
  useInventory(resources: readonly Resource[], seq: number): boolean {
    this.#inventory = { resources, seq }
    return this.#config !== null && this.#use(this.#read(this.#config))
  }

  /** The rules of a configuration, with what is discovered. */
  #read(config: Config): LoadedRules {
    return loadRules(config, this.#deps.kinds, discoveredBy(config, this.#deps.kinds, this.#inventory.resources))
  }

  /** @returns false: they are not valid */
  #use(loaded: LoadedRules): boolean {
    if (!loaded.ok) return false
    this.#rules = loaded.rules
    this.#catalog = loaded.catalog
    return true
  }

  /**
   * Applies the rules of a configuration, once they are stored and audited. Invalid ones are rejected, and the old ones stay.
   * @throws BrokerError AUDIT_UNAVAILABLE, STORE_UNAVAILABLE; the old rules stay
   */
  async load(config: Config): Promise<Reloaded> {
    this.#deps.metrics.rulesDigestMismatch.set(1) // until the rules of the file are in force
    const inventory = this.#inventory
    const loaded = this.#read(config)
    if (!loaded.ok) {
      await this.#deps.audit.appendRemoval(rulesRefused(loaded.problems))
      return loaded
    }
    const { rules, warnings } = loaded
    await this.#record(rules.digest, config)
    this.#config = config
    this.#use(this.#inventory === inventory ? loaded : this.#read(config)) // it may have changed meanwhile
    this.#loadedAt = this.#deps.clock.now()
    this.#deps.metrics.rulesDigestMismatch.set(0)
    return { ok: true, digest: rules.digest, warnings }
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

/** What is discovered counts only as far as the configuration says so. */
function discoveredBy({ inventory, resources: files }: Config, kinds: Kinds, resources: readonly Resource[]) {
  const written = new Set(files.map(({ id }) => id))
  return resources.filter((resource) => {
    const kind = kindNamed(kinds, resource.kind)
    return kind !== undefined && notImported(kind, inventory, resource, written.has(resource.id)) === null
  })
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
