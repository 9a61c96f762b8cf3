import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { BrokerError } from '../../proxy/session.ts'
import type { Access } from '../access/access.ts'
import type { AuditLog } from '../audit/audit.ts'
import type { CatalogEntry } from '../catalog/resource.ts'
import type {
  OnboardedAccount,
  TargetCheck,
  TargetReport,
  Validation,
  ValidationReport,
  ValidationSubject,
} from '../contract/aws.ts'
import type { Leadership } from '../daemons/leadership.ts'
import type { Login } from '../identity/principal.ts'
import { type ListPage, type ListQuery, listSource, readCursor, readPage } from '../store/lists.ts'
import type { Clock } from '../telemetry/clock.ts'
import { KeyedMutex } from '../telemetry/keyed-mutex.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { type CheckedAccount, type KnownAccount, membership, spokeCheck } from './account-checks.ts'
import { accountStates } from './account-states.ts'
import { ofTarget, unique } from './found.ts'
import { type Approver, checkRules } from './rule-checks.ts'
import type { Found, ValidationFilter, ValidationStore } from './validation-store.ts'
import type { ValidationSubjectRow } from './validation-tables.ts'

export interface ValidationsDeps {
  readonly store: ValidationStore
  readonly access: Pick<Access, 'findResource' | 'levelsOf' | 'resourcesKnown' | 'resource' | 'rules'>
  readonly audit: Pick<AuditLog, 'append'>
  readonly clock: Clock
  readonly leader: Pick<Leadership, 'check'>
  readonly logger: Pick<Logger, 'warn'>
  readonly metrics: Pick<Metrics, 'validationsFailing'>
  /** All that could be checked, whether written or discovered. */
  accounts(): readonly Omit<KnownAccount, 'wasGood'>[]
  /** Active ones that may approve. */
  people(): Promise<readonly Approver[]>
  checkHub(signal: AbortSignal): Promise<readonly Found[]>
  /** @param login null: nobody asks */
  checkAccount(account: KnownAccount, login: Login | null, signal: AbortSignal): Promise<CheckedAccount>
  /** What AWS says of a target without signing in to it; undefined: its kind has nothing to ask. */
  checkerOf(
    kind: string,
  ):
    | ((
        entry: CatalogEntry,
        levels: ReadonlyMap<string, unknown>,
        signal: AbortSignal,
      ) => Promise<readonly TargetCheck[]>)
    | undefined
}

const day = 86_400_000
const hour = 3_600_000
/** Between two looks at what is due; a daemon that has just started has other things to do. */
const restMs = 600_000
/** Resources that are looked at without a pause. */
const atOnce = 1000
const mostAtOnce = 4
/** Of one run that a person waits for. */
const runMs = 120_000

/** What must be allowed and set up: checked once a day by the daemon that leads, and when it is asked for. */
export class Validations {
  readonly #deps: ValidationsDeps
  readonly #mutex = new KeyedMutex()
  /** When the subjects were last gone through, and when they are again where nobody asks. */
  #lookedAt = 0
  #nextLookAt: number
  #running = 0

  constructor(deps: ValidationsDeps) {
    this.#deps = deps
    this.#nextLookAt = deps.clock.now() + restMs
  }

  async list({ subject, status, ...query }: ListQuery & ValidationFilter): Promise<ListPage<Validation>> {
    if (query.cursor !== undefined) readCursor(query.cursor, /^[^\n]+\n[^\n]+$/)
    const filter = { ...(subject === undefined ? {} : { subject }), ...(status === undefined ? {} : { status }) }
    return await readPage(this.#deps.store.list(filter), query)
  }

  async subjectList(query: ListQuery): Promise<ListPage<ValidationSubject>> {
    return await readPage(await this.#deps.store.subjectList(this.#known()), query)
  }

  /** Every account that is known, with whether it lets the broker in. */
  async accountList(query: ListQuery): Promise<ListPage<OnboardedAccount>> {
    const { store, accounts } = this.#deps
    const [rows, checks] = await Promise.all([store.subjects(), store.named([spokeCheck, membership])])
    return await readPage(
      listSource(accountStates(accounts(), rows, checks), ({ account }) => account),
      query,
    )
  }

  /**
   * Checks one subject now.
   * @throws BrokerError NOT_FOUND, RESOURCE_UNKNOWN, RESOURCE_AMBIGUOUS, RATE_LIMITED
   */
  async run(login: Login, named: string): Promise<ValidationReport> {
    if (this.#running >= mostAtOnce) throw new BrokerError('RATE_LIMITED', `${this.#running} validations are running`)
    this.#running += 1
    try {
      const subject = this.#subjectNamed(login, named)
      const report = await this.#run(subject, login, AbortSignal.timeout(runMs))
      const failed = report.validations.filter(({ status }) => status === 'failed').map(({ check }) => check)
      await this.#deps.audit.append({
        type: 'validation.ran',
        actor: login.principal.id,
        fields: { subject, failed: failed.length },
      })
      return report
    } finally {
      this.#running -= 1
    }
  }

  /** Keeps what a sign-in to a target found. */
  async keep({ resource, level, checks }: TargetReport): Promise<void> {
    const prefix = `level ${level}: `
    const found = checks.map((check) => ofTarget(check, 'sessions of the level sign in as it does', prefix))
    await this.#mutex.run(resource, () => this.#put(resource, found, (name) => name.startsWith(prefix)))
  }

  /** All is checked again, by the daemon that leads: what is read of AWS has been switched on or off. */
  async requestAll(): Promise<void> {
    await this.#deps.store.request(this.#deps.clock.now())
  }

  /** For the chore of the daemon that leads: what is due, one after the other. */
  async runDue(signal: AbortSignal): Promise<void> {
    const { store, accounts, clock, leader, logger } = this.#deps
    const asked = await store.requestedAt()
    if (asked <= this.#lookedAt && clock.now() < this.#nextLookAt) return
    this.#lookedAt = clock.now()
    this.#nextLookAt = this.#lookedAt + restMs
    const rows = await store.subjects()
    await this.#forget(rows)
    const ranAt = new Map(rows.map((row) => [row.subject, row.ran_at ?? 0]))
    const personal = new Set(accounts().flatMap(({ id, needsPerson }) => (needsPerson ? [`account/${id}`] : [])))
    for (const subject of [...this.#known(), ...(await this.#resources())]) {
      if (signal.aborted) return
      const last = ranAt.get(subject) ?? 0
      const isDue = last < asked || clock.now() - last >= day + jitterOf(subject)
      if (!isDue || personal.has(subject)) continue
      leader.check()
      try {
        await this.#run(subject, null, AbortSignal.any([signal, AbortSignal.timeout(runMs)]))
      } catch (error) {
        if (signal.aborted) return
        logger.warn({ err: error, subject }, 'it could not be validated; what the last run found stays')
      }
      await setImmediate()
    }
  }

  /** Sets the metric. */
  async count(): Promise<void> {
    const { store, metrics } = this.#deps
    const failing = await store.failing()
    metrics.validationsFailing.reset()
    for (const { severity, about, count } of failing) metrics.validationsFailing.set({ severity, about }, count)
  }

  #known(): string[] {
    return ['hub', 'rules', ...this.#deps.accounts().map(({ id }) => `account/${id}`)]
  }

  /** Those that people may use, of kinds of which AWS can be asked. */
  async #resources(): Promise<string[]> {
    const { access, checkerOf } = this.#deps
    const found: string[] = []
    for (const [index, entry] of access.resourcesKnown().entries()) {
      if (index % atOnce === 0) await setImmediate()
      if (checkerOf(entry.kind) && access.levelsOf(entry).size > 0) found.push(entry.id)
    }
    return found
  }

  /** Rows of what is there no more. */
  async #forget(rows: readonly ValidationSubjectRow[]): Promise<void> {
    const known = new Set(['*', ...this.#known()])
    const gone = rows.filter(({ subject }) => !known.has(subject) && !this.#deps.access.resource(subject))
    await this.#deps.store.remove(gone.map(({ subject }) => subject))
  }

  /** @throws BrokerError NOT_FOUND, RESOURCE_UNKNOWN, RESOURCE_AMBIGUOUS */
  #subjectNamed(login: Login, named: string): string {
    if (this.#known().includes(named)) return named
    if (/^account\/\d{12}$/.test(named))
      throw new BrokerError('NOT_FOUND', `${named} is neither under aws.accounts nor in the organization that is read`)
    return this.#deps.access.findResource(login, named).id
  }

  async #run(subject: string, login: Login | null, signal: AbortSignal): Promise<ValidationReport> {
    return await this.#mutex.run(subject, async () => {
      const { found, isGood } = await this.#check(subject, login, signal)
      const isOwn = (name: string) => !name.startsWith('level ')
      const validations = await this.#put(subject, found, isOwn, isGood)
      const ok = validations.every(({ status }) => status !== 'failed')
      return { subject, ok, ranAt: this.#deps.clock.now(), validations }
    })
  }

  async #check(subject: string, login: Login | null, signal: AbortSignal): Promise<CheckedAccount> {
    const { access, accounts, checkAccount, checkHub, checkerOf, people, store } = this.#deps
    const plain = (found: readonly Found[]) => ({ found, isGood: false })
    if (subject === 'hub') return plain(await checkHub(signal))
    if (subject === 'rules') return plain(checkRules(access.rules().rules, await people()))
    const account = accounts().find(({ id }) => subject === `account/${id}`)
    if (account) {
      const wasGood = (await store.subject(subject))?.good_at != null
      return await checkAccount({ ...account, wasGood }, login, signal)
    }
    const entry = access.resource(subject)
    const check = entry && checkerOf(entry.kind)
    if (!entry || !check) return plain([])
    const checks = await check(entry, access.levelsOf(entry), signal)
    return plain(checks.map((one) => ofTarget(one, 'sessions of it are as long and as closed as they are said to be')))
  }

  async #put(subject: string, found: readonly Found[], isOwn: (name: string) => boolean, isGood = false) {
    const { store, clock } = this.#deps
    return await store.put(subject, unique(found), { now: clock.now(), isGood, isOwn })
  }
}

/** Less than an hour, the same for a subject always, so that runs are spread. */
function jitterOf(subject: string): number {
  return createHash('sha256').update(subject).digest().readUInt32BE(0) % hour
}
