import { isLoopback } from './addresses.ts'
import type { Finding } from './finding.ts'
import type { ConfigFile } from './schema.ts'

/** What follows `sqlite:`; undefined for another store. */
export function sqlitePath(url: string): string | undefined {
  return url.startsWith('sqlite:') ? url.slice('sqlite:'.length) : undefined
}

export interface PostgresUrl {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  readonly hasTls: boolean
}

/** Reads what {@link storeFindings} has found good; empty members of what it has not. */
export function readPostgresUrl(text: string): PostgresUrl {
  const url = URL.parse(text)
  return {
    host: decoded(url?.hostname ?? '').replace(/^\[(.*)\]$/, '$1'),
    port: Number(url?.port || 5432),
    user: decoded(url?.username ?? ''),
    database: decoded(url?.pathname.slice(1) ?? ''),
    hasTls: url?.searchParams.get('sslmode') !== 'disable',
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return '' // a lone percent sign, which is reported as a missing part
  }
}

const path = 'store.url'
const example = 'e.g. postgres://sallyport@store.internal:5432/sallyport'

/** What only PostgreSQL has. */
const postgresOnly = ['password', 'tls', 'connections', 'statement_timeout', 'lock_timeout'] as const

export function storeFindings({ store = {} }: ConfigFile): Finding[] {
  const { url: text = 'sqlite:' } = store
  if (sqlitePath(text) !== undefined)
    return postgresOnly
      .filter((name) => store[name] !== undefined)
      .map((name) => ({ path: `store.${name}`, message: 'has no effect on SQLite', fix: 'remove it', warning: true }))
  const url = URL.parse(text)
  if (!url) return [{ path, message: 'expected a URL', fix: example }]
  return [...urlFindings(url, text), ...tlsFindings(url, store), ...literalPassword(url)]
}

function urlFindings(url: URL, text: string): Finding[] {
  const { host, user, database } = readPostgresUrl(text)
  const missing = Object.entries({ user, host, database }).filter(([, value]) => value === '')
  const others = [...url.searchParams.keys()].filter((name) => name !== 'sslmode')
  const mode = url.searchParams.get('sslmode')
  return [
    ...missing.map(([name]) => ({ path, message: `names no ${name}`, fix: example })),
    ...(database.includes('/') ? [{ path, message: 'expected one name after the host', fix: example }] : []),
    ...others.map((name) => ({ path, message: `the parameter ${name} is not known here`, fix: 'remove it' })),
    ...(mode === null || mode === 'verify-full' || mode === 'disable'
      ? []
      : [{ path, message: `sslmode ${mode} does not verify the server`, fix: 'write verify-full, or disable' }]),
  ]
}

function literalPassword({ password }: URL): Finding[] {
  if (password === '') return []
  // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what people write
  const fix = 'remove it, and set store.password: ${env:STORE_PASSWORD} or ${file:PATH}'
  return [{ path, message: 'has a password in the URL, which messages repeat', fix }]
}

function tlsFindings({ hostname, searchParams }: URL, { tls }: NonNullable<ConfigFile['store']>): Finding[] {
  const isOff = searchParams.get('sslmode') === 'disable'
  const findings: Finding[] = []
  if (isOff && tls)
    findings.push({ path: 'store.tls', message: 'has no effect with sslmode=disable', fix: 'remove one of the two' })
  if (isOff && !isLoopback(hostname.replace(/^\[(.*)\]$/, '$1')))
    findings.push({
      path,
      message: 'everything in the store passes the network unencrypted',
      fix: 'remove sslmode=disable',
      warning: true,
    })
  if (tls && (tls.cert === undefined) !== (tls.key === undefined))
    findings.push({ path: 'store.tls', message: 'expected both cert and key, or neither', fix: 'name the other one' })
  return findings
}
