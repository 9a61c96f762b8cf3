import type { Duplex } from 'node:stream'
import type { Wire } from '../../../proxy/reach/reach.ts'
import { BrokerError, type Lease } from '../../../proxy/session.ts'
import { toTargetError } from '../../../proxy/streams/dial-errors.ts'
import type { TargetCheck } from '../../contract/aws.ts'
import type { Preflight } from '../../sessions/preflights.ts'
import { failedAt, ok } from '../checks.ts'

export type Row = Readonly<Record<string, unknown>>

/** What a client library needs for one connection. */
export interface Dial {
  readonly stream: Duplex
  readonly lease: Lease
  /** Certificates are checked against it, and tokens are made for it. */
  readonly serverName: string
  /** PEM; null: AWS's roots and the public ones. */
  readonly ca: string | null
  /** Empty: none. */
  readonly database: string
  /** Aborts the attempt. */
  readonly signal: AbortSignal
}

/** A connection of a client library. */
export interface Client {
  /** e.g. TLSv1.3 */
  readonly tls: string
  query(sql: string): Promise<readonly Row[]>
  close(): void
}

/** Why a client library could not sign in; what else it throws says something of the way to the target. */
export class SignInFailed extends Error {
  readonly check: TargetCheck

  constructor(check: TargetCheck) {
    super(check.detail)
    this.check = check
  }
}

/** @throws SignInFailed, BrokerError */
export type SignIn = (dial: Dial) => Promise<Client>

/** Asks over a connection that has signed in: each statement is on record. */
export type Ask = (sql: string) => Promise<readonly Row[]>

interface Databases {
  /** Empty: none. */
  readonly first: string
  /** Where privileges are asked for anew, for engines whose privileges lie in each database. */
  readonly others: readonly string[]
}

/**
 * Signs in as sessions of the level do, and has the engine look at what it may do there.
 * @param look at the first database
 * @param lookAlso at each of the others
 * @returns what was found on the way as well; never throws for a target that does not answer, or refuses
 */
export async function lookAt(
  preflight: Preflight,
  signIn: SignIn,
  { first, others }: Databases,
  look: (ask: Ask) => Promise<TargetCheck[]>,
  lookAlso: (ask: Ask, database: string) => Promise<TargetCheck[]> = async () => [],
): Promise<TargetCheck[]> {
  const checks: TargetCheck[] = []
  const { engine } = preflight.permit
  if (!engine) throw new BrokerError('INTERNAL', 'there is no target to look at')
  let lease: Lease
  try {
    lease = await preflight.lease()
    checks.push(ok('AWS', `a token for ${lease.user} was made`))
  } catch (error) {
    return [failedAt('AWS', error, 'run: sallyport aws validate')]
  }
  const within = async (database: string, use: (ask: Ask, client: Client) => Promise<void>) => {
    const { signal } = preflight
    const wire = await preflight.open()
    const giveUp = () => wire.stream.destroy()
    signal.addEventListener('abort', giveUp)
    try {
      const { serverName, ca } = engine
      const client = await signIn({ stream: wire.stream, lease, serverName, ca, database, signal })
      await preflight.started(detailOf(wire, lease, database))
      await use((sql) => preflight.ask(sql, () => client.query(sql)), client)
      client.close()
    } finally {
      signal.removeEventListener('abort', giveUp)
      wire.stream.destroy()
    }
  }
  try {
    await within(first, async (ask, { tls }) => {
      checks.push(ok('TLS', `${tls}, and the certificate is that of ${engine.serverName}`))
      checks.push(ok('sign-in', `as ${lease.user} with an IAM token`))
      checks.push(...(await look(ask)))
    })
    for (const database of others)
      await within(database, async (ask) => void checks.push(...(await lookAlso(ask, database))))
  } catch (error) {
    checks.push(checkOf(error, preflight.signal))
  }
  return checks
}

function checkOf(error: unknown, signal: AbortSignal): TargetCheck {
  if (error instanceof SignInFailed) return error.check
  const broken = signal.aborted ? toTargetError(signal.reason) : toTargetError(error)
  const check = broken.code === 'TARGET_UNTRUSTED' ? 'TLS' : 'connection'
  return failedAt(check, broken, 'try again; if it stays so, look at the log of the database')
}

function detailOf({ address }: Wire, { user }: Lease, database: string): Record<string, string> {
  return { database_user: user, database, target_address: `${address.host}:${address.port}` }
}
