/** Connection settings for PostgreSQL clients, in the forms that they read. */
import { type ClientSettings, escapeUrl, hostPort, isSocket, query, settingsFormats } from '../client-settings.ts'
import { shellWord } from '../shell-quote.ts'
import { pgpassLine } from './pgpass.ts'

const formats: Readonly<Record<string, (settings: ClientSettings) => string>> = {
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

/** A password appears as PGPASSWORD or as a pgpass line. */
export const postgresSettings = settingsFormats({
  forms: ['psql', 'url', 'jdbc', 'env', 'pgpass', 'service'],
  formats,
  withPassword: ['env', 'pgpass'],
  passwordNote,
  trustNote: (ca) =>
    ca === undefined
      ? "sslmode=verify-full needs the broker's CA: add sslrootcert=FILE, or sslrootcert=system (libpq 16 and later)"
      : `the broker is verified against ${ca}`,
})

function passwordNote(password: string, form: string): string {
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
  const place = isSocket(s) ? { host: s.host, port: String(s.port) } : {}
  const authority = `${escapeUrl(s.user)}@${isSocket(s) ? '' : hostPort(s)}`
  return `postgresql://${authority}/${escapeUrl(s.database)}?${query({ ...place, ...tls(s) })}`
}

function toJdbc(s: ClientSettings): string {
  if (isSocket(s)) throw new TypeError('JDBC cannot use a Unix socket; leave out --socket')
  return `jdbc:postgresql://${hostPort(s)}/${escapeUrl(s.database)}?${query({ user: s.user, ...tls(s) })}`
}

function tls(s: ClientSettings): Record<string, string> {
  return { sslmode: s.sslmode, ...(s.sslrootcert ? { sslrootcert: s.sslrootcert } : {}) }
}

function libpqQuote(value: string): string {
  return /^[^\s'\\]+$/.test(value) ? value : `'${value.replace(/['\\]/g, '\\$&')}'`
}
