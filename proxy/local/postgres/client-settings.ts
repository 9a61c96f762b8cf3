/** Connection settings for stock clients, in the forms that they read. */
import { shellWord } from '../shell-quote.ts'
import { pgpassLine } from './pgpass.ts'

export interface ClientSettings {
  /** Short name of the resource; names the service section. */
  readonly name: string
  /** An address, or the directory of a Unix socket. */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  /** Null: none is required. */
  readonly password: string | null
  readonly sslmode: 'disable' | 'verify-full'
  /** PEM file of the broker's CA, for `verify-full`. */
  readonly sslrootcert?: string
}

export const settingsForms = ['psql', 'url', 'jdbc', 'env', 'pgpass', 'service'] as const
export type SettingsForm = (typeof settingsForms)[number]

/**
 * Text to paste. A password appears as PGPASSWORD or as a pgpass line, never inside a command or a URL: those end up in
 * process lists, histories and logs.
 * @throws TypeError when the form cannot express it (JDBC and a Unix socket), or a name holds control characters
 */
export function formatSettings(settings: ClientSettings, form: SettingsForm): string {
  const odd = Object.values(settings).find((value) => typeof value === 'string' && /\p{Cc}/u.test(value))
  if (odd !== undefined) throw new TypeError(`control characters in ${JSON.stringify(odd)}`)
  const text = formats[form](settings)
  const { password } = settings
  const complete = form === 'env' || form === 'pgpass' || password === null
  return complete ? text : `${text}\n${passwordNote(password, form)}`
}

const formats: Record<SettingsForm, (settings: ClientSettings) => string> = {
  psql: (s) =>
    `psql ${shellWord(
      keywords(s)
        .map(([key, value]) => `${key}=${libpqQuote(value)}`)
        .join(' '),
    )}`,
  url: toUrl,
  jdbc: toJdbc,
  env: (s) =>
    environment(s)
      .map(([name, value]) => `export ${name}=${shellWord(value)}`)
      .join('\n'),
  pgpass: (s) => (s.password === null ? '# no password is required' : pgpassLine({ ...s, password: s.password })),
  service: (s) => [`[${s.name}]`, ...keywords(s).map(([key, value]) => `${key}=${value}`)].join('\n'),
}

function passwordNote(password: string, form: SettingsForm): string {
  if (form === 'jdbc') return `# password, for the connection property of that name: ${password}`
  return `# password: export PGPASSWORD=${shellWord(password)}`
}

function keywords(s: ClientSettings): [string, string][] {
  return [
    ['host', s.host],
    ['port', String(s.port)],
    ['dbname', s.database],
    ['user', s.user],
    ['sslmode', s.sslmode],
    ...(s.sslrootcert ? [['sslrootcert', s.sslrootcert] satisfies [string, string]] : []),
  ]
}

/** What libpq reads from its environment. */
export function environment(s: ClientSettings): [string, string][] {
  const names: Record<string, string> = { dbname: 'PGDATABASE' }
  const settings = keywords(s).map(([key, value]): [string, string] => [names[key] ?? `PG${key.toUpperCase()}`, value])
  return s.password === null ? settings : [...settings, ['PGPASSWORD', s.password]]
}

function toUrl(s: ClientSettings): string {
  const isSocket = s.host.startsWith('/')
  const place = isSocket ? { host: s.host, port: String(s.port) } : {}
  const authority = `${escapeUrl(s.user)}@${isSocket ? '' : hostPort(s)}`
  return `postgresql://${authority}/${escapeUrl(s.database)}?${query({ ...place, ...tls(s) })}`
}

function toJdbc(s: ClientSettings): string {
  if (s.host.startsWith('/')) throw new TypeError('JDBC cannot use a Unix socket; leave out --socket')
  return `jdbc:postgresql://${hostPort(s)}/${escapeUrl(s.database)}?${query({ user: s.user, ...tls(s) })}`
}

/** Not URLSearchParams: libpq does not read + as a space. */
function query(parameters: Readonly<Record<string, string>>): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${name}=${escapeUrl(value)}`)
    .join('&')
}

/** Also escapes what encodeURIComponent leaves and a shell interprets. */
function escapeUrl(value: string): string {
  return encodeURIComponent(value).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

function hostPort(s: ClientSettings): string {
  return `${s.host.includes(':') ? `[${s.host}]` : s.host}:${s.port}`
}

function tls(s: ClientSettings): Record<string, string> {
  return { sslmode: s.sslmode, ...(s.sslrootcert ? { sslrootcert: s.sslrootcert } : {}) }
}

function libpqQuote(value: string): string {
  return /^[^\s'\\]+$/.test(value) ? value : `'${value.replace(/['\\]/g, '\\$&')}'`
}
