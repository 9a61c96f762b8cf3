import { startCommand } from '../sandbox/commands.ts'
import { waitUntil } from '../wait-until.ts'
import type { Door } from './company.ts'
import { type ConnectToken, type DatabaseClient, issueToken, openWith } from './database-client.ts'
import { oneOf, random } from './random.ts'
import type { DaemonName, TwoDaemons } from './two-daemons.ts'

/** What happened to a step of a journey that did not succeed. */
export interface Failure {
  readonly at: DaemonName
  readonly what: string
}

/**
 * People who ask, approve, connect and take back at two daemons, one step at this and the next at that, while daemons are
 * killed; with what every answer of success has promised.
 */
export class Journeys {
  /** By id: the states that a thing may be in. More than one: nobody heard how the last change of it went. */
  readonly promised = new Map<string, readonly string[]>()
  readonly acknowledged = { tokens: [] as string[], sessions: [] as string[] }
  /** Sessions whose kill was acknowledged to the caller. */
  readonly killed: string[] = []
  /** Secrets that open nothing any more. */
  readonly dead = { api: [] as string[], connect: [] as ConnectToken[] }
  readonly failures: Failure[] = []
  readonly #two: TwoDaemons
  /** Of what is neither revoked nor returned meanwhile. */
  readonly #grant: string
  #alive: readonly DaemonName[] = []
  #steps = 0
  #accounts = 0

  constructor(two: TwoDaemons, grant: string) {
    this.#two = two
    this.#grant = grant
  }

  /** How many steps were answered with success. */
  get steps(): number {
    return this.#steps
  }

  /** Everyone works at these daemons, until there is none left, or `stop` was called. */
  start(names: readonly DaemonName[]): { ended: Promise<unknown>; stop: () => void } {
    this.#alive = names
    const untilNone = async (work: () => Promise<unknown>) => {
      while (this.#alive.length > 0) await work().catch(() => {}) // see failures
    }
    const everyone = [1, 2, 3].map(() => untilNone(() => this.#access()))
    const ended = Promise.all([...everyone, untilNone(() => this.#psql()), untilNone(() => this.#admin())])
    return { ended, stop: () => this.without(names) }
  }

  /** From now on nobody goes to these daemons. */
  without(names: readonly DaemonName[]): void {
    this.#alive = this.#alive.filter((name) => !names.includes(name))
  }

  /** From the request to the end of the grant. */
  async #access(): Promise<void> {
    const wanted = { resource: 'orders', level: 'readonly', durationMs: 3_600_000, reason: 'order 17' }
    const { request } = await this.#api<Outcome>('alice', 'POST', '/api/v1/requests', wanted)
    this.promised.set(request.id, ['pending'])
    const way = oneOf(['approve', 'approve', 'approve', 'approve', 'deny', 'cancel'] as const)
    const decide = (verdict: string, { id, digest }: Outcome['request']) =>
      this.#api<Outcome>('bob', 'POST', `/api/v1/requests/${id}/${verdict}`, { digest })
    if (way === 'deny') return void (await this.#change(request.id, 'denied', () => decide('deny', request)))
    if (way === 'cancel')
      return await this.#change(request.id, 'cancelled', () =>
        this.#api('alice', 'POST', `/api/v1/requests/${request.id}/cancel`, {}),
      )
    const { grant } = await this.#change(request.id, 'granted', () => decide('approve', request))
    if (!grant) throw new Error(`${request.id} was approved, and there is no grant`)
    this.promised.set(grant.id, ['active'])
    if (random() < 0.2) await this.#extend(grant.id, decide)
    const token = await this.#step((door) => issueToken(door, 'alice', { grant: grant.id }))
    this.acknowledged.tokens.push(token.id)
    this.promised.set(token.id, ['valid'])
    await this.#connect(grant.id, token)
  }

  async #extend(grant: string, decide: (verdict: string, request: Outcome['request']) => Promise<Outcome>) {
    const more = { durationMs: 7_200_000, reason: 'it takes longer' }
    const { request } = await this.#api<Outcome>('alice', 'POST', `/api/v1/grants/${grant}/extend`, more)
    this.promised.set(request.id, ['pending'])
    await this.#change(request.id, 'granted', () => decide('approve', request))
  }

  async #connect(grant: string, token: ConnectToken): Promise<void> {
    const session = await this.#open(token)
    const ofGrant = (state: string, act: () => Promise<unknown>) => {
      this.promised.delete(token.id) // it ends with its grant
      return this.#change(grant, state, act)
    }
    const revoke = () => this.#api('bob', 'POST', `/api/v1/grants/${grant}/revoke`, { reason: 'incident 42' })
    const giveBack = () => this.#api('alice', 'POST', `/api/v1/grants/${grant}/return`, {})
    const kill = () => this.#api('dave', 'POST', `/api/v1/sessions/${session.sessionId}/kill`, { reason: 'enough' })
    const revokeToken = () => this.#api('alice', 'DELETE', `/api/v1/connect-tokens/${token.id}`)
    try {
      const way = oneOf(['revoke', 'return', 'kill', 'token', 'leave'] as const)
      if (way === 'revoke') await ofGrant('revoked', revoke)
      if (way === 'return') await ofGrant('returned', giveBack)
      if (way === 'token') await this.#change(token.id, 'gone', revokeToken)
      if (way === 'kill') {
        await kill()
        this.killed.push(session.sessionId)
      }
      if (way === 'leave') return
      if (way !== 'kill') this.dead.connect.push(token)
      await this.#cut(session, way)
    } finally {
      await session.client.end().catch(() => {})
    }
  }

  /** By whatever was acknowledged, or because its daemon is gone. */
  async #cut(session: DatabaseClient, why: string): Promise<void> {
    let isLost = false
    void session.lost.then(() => {
      isLost = true
    })
    try {
      await waitUntil(() => isLost, `${session.sessionId} is cut: ${why}`)
    } catch (error) {
      for (const at of this.#alive) this.failures.push({ at, what: String(error) })
    }
  }

  async #open(token: ConnectToken): Promise<DatabaseClient> {
    const session = await this.#step((door, name) =>
      openWith(door, { ...token, port: this.#two.daemons[name].postgresPort }),
    )
    this.acknowledged.sessions.push(session.sessionId)
    return session
  }

  /** A session of the stock client, from beginning to end. */
  async #psql(): Promise<void> {
    const { token, user, id } = await this.#step((door) => issueToken(door, 'alice', { grant: this.#grant }))
    this.acknowledged.tokens.push(id)
    await this.#step(async (_door, name) => {
      const port = String(this.#two.daemons[name].postgresPort)
      const env = { ...process.env, PGPASSWORD: token, PGSSLMODE: 'require' }
      const where = ['-X', '-A', '-t', '-h', '127.0.0.1', '-p', port, '-U', user, '-d', 'orders']
      const ran = await startCommand('psql', [...where, '-c', "select current_setting('application_name')"], env).ended
      if (ran.code !== 0) throw new Error(`psql: ${ran.stderr}`)
      this.acknowledged.sessions.push(/ses_[0-9a-z]{26}/.exec(ran.stdout)?.[0] ?? ran.stdout)
    })
  }

  /** Tokens of the API that are made and revoked, and service accounts that are made and locked. */
  async #admin(): Promise<void> {
    const wanted = { name: 'ci', scopes: ['read'], durationMs: 3_600_000 }
    const { id, token } = await this.#api<{ id: string; token: string }>('dave', 'POST', '/api/v1/tokens', wanted)
    this.promised.set(id, ['valid'])
    await this.#change(id, 'gone', () => this.#api('dave', 'DELETE', `/api/v1/tokens/${id}`))
    this.dead.api.push(token)
    this.#accounts += 1
    const account = { name: `robot-${this.#accounts}`, owner: 'alice@example.com' }
    const made = await this.#api<{ principal: { id: string } }>('dave', 'POST', '/api/v1/service-accounts', account)
    const robot = made.principal.id
    this.promised.set(robot, ['open'])
    const lock = () => this.#api('dave', 'POST', `/api/v1/principals/${robot}/lock`, { reason: 'retired' })
    await this.#change(robot, 'locked', lock)
  }

  /** Until the answer is there, nobody knows. */
  async #change<T>(id: string, state: string, act: () => Promise<T>): Promise<T> {
    this.promised.set(id, [...(this.promised.get(id) ?? []), state])
    const answer = await act()
    this.promised.set(id, [state])
    return answer
  }

  #api<T>(...ask: Parameters<Door['call']>): Promise<T> {
    return this.#step((door) => door.api<T>(...ask))
  }

  /** At any of the daemons. */
  async #step<T>(act: (door: Door, name: DaemonName) => Promise<T>): Promise<T> {
    const name = oneOf(this.#alive)
    try {
      const answer = await act(this.#two.at[name], name)
      this.#steps += 1
      return answer
    } catch (error) {
      this.failures.push({ at: name, what: textOf(error) })
      throw error
    }
  }
}

interface Outcome {
  readonly request: { readonly id: string; readonly digest: string }
  readonly grant: { readonly id: string } | null
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${textOf(error.cause)}`
}
