import { type ClientSettings, formatSettings } from '../../proxy/local/client-settings.ts'
import { BrokerError } from '../../proxy/session.ts'
import type { ConnectOptions } from './connect.ts'
import { type ConnectDeps, connectKinds } from './open-connections.ts'
import { exitCodes, printJson, when } from './output.ts'
import { chooseTarget, listResources } from './target.ts'

/** Answer of POST /api/v1/connect-tokens; the token is shown this once. */
interface IssuedToken {
  readonly id: string
  readonly token: string
  /** Epoch milliseconds. */
  readonly expiresAt: number
  /** `t_<id>` */
  readonly user: string
  /** The broker's own TLS port. */
  readonly host: string
  readonly port: number
}

/** `sallyport connect RESOURCE --token`: a password for stock clients, without any Sallyport software in between. */
export async function issueToken(deps: ConnectDeps, reference: string, options: ConnectOptions): Promise<number> {
  const target = chooseTarget(await listResources(deps.api), reference, options.level, connectKinds)
  const issued = await deps.api.post<IssuedToken>('/api/v1/connect-tokens', {
    resource: target.id,
    level: target.level,
    ...(options.for === undefined ? {} : { durationMs: parseDuration(options.for) }),
    ...(options.cidr === undefined ? {} : { cidr: options.cidr }),
  })
  const { id, token, expiresAt, user, host, port } = issued
  // Whoever made this machine trust the broker's CA this way wants its clients to do the same.
  const ca = deps.env.NODE_EXTRA_CA_CERTS
  const settings: ClientSettings = {
    name: target.name,
    host,
    port,
    database: options.database ?? target.database,
    user,
    password: token,
    sslmode: 'verify-full',
    ...(ca ? { sslrootcert: ca } : {}),
  }
  if (options.json) {
    printJson({ id, resource: target.id, level: target.level, expiresAt, ...settings, name: undefined })
    return exitCodes.done
  }
  process.stdout.write(`${formatSettings(settings, options.print ?? 'psql')}\n`)
  process.stderr.write(`${guidance(id, expiresAt, ca)}\n`)
  return exitCodes.done
}

function guidance(id: string, expiresAt: number, ca: string | undefined): string {
  const trust = ca
    ? `the broker is verified against ${ca}`
    : "sslmode=verify-full needs the broker's CA: add sslrootcert=FILE, or sslrootcert=system (libpq 16 and later)"
  return `The token is valid until ${when(expiresAt)} UTC or until the grant ends; it is not shown again.
Take it back earlier: sallyport tokens revoke ${id}
TLS: ${trust}.`
}

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function parseDuration(text: string): number {
  const [, count, unit] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? []
  if (!count || !unit)
    throw new BrokerError('INVALID_INPUT', `--for: expected a duration such as 30m or 2h, got "${text}"`)
  return Number(count) * (unitMs[unit] ?? 0)
}
