/** Connection settings for MySQL and MariaDB clients, in the forms that they read. */
import { join } from 'node:path'
import { type ClientSettings, escapeUrl, hostPort, isSocket, query, settingsFormats } from '../client-settings.ts'
import { shellWord } from '../shell-quote.ts'
import { type Option, optionGroup } from './option-file.ts'

/** Whose client reads the options: they name those of TLS differently. */
export type Flavour = 'mysql' | 'mariadb'

const formats: Readonly<Record<string, (settings: ClientSettings) => string>> = {
  mysql: (s) => toCommand(s, 'mysql'),
  mariadb: (s) => toCommand(s, 'mariadb'),
  url: toUrl,
  jdbc: toJdbc,
  env: (s) =>
    environment(s)
      .map(([name, value]) => `export ${name}=${shellWord(value)}`)
      .join('\n'),
  'my.cnf': toOptionFile,
  dbeaver: toDbeaver,
}

/** Clients of MySQL and MariaDB read `client`, and reject what they do not know; `database` is an option of their shells alone. */

/** A password appears as MYSQL_PWD or in an option file. */
export const mysqlSettings = settingsFormats({
  forms: ['mysql', 'mariadb', 'url', 'jdbc', 'env', 'my.cnf', 'dbeaver'],
  formats,
  withPassword: ['env', 'my.cnf'],
  passwordNote,
  trustNote: (ca) =>
    ca === undefined
      ? "VERIFY_IDENTITY needs the broker's CA: add --ssl-ca=FILE, unless the client's own roots have it"
      : `the broker is verified against ${ca}`,
})

function toOptionFile(s: ClientSettings): string {
  return [
    optionGroup('client', [...placeOptions(s), ...passwordOptions(s)]),
    ...(s.database === '' ? [] : [optionGroup('mysql', [['database', s.database]])]),
    optionGroup('client-mariadb', tlsOptions(s, 'mariadb')),
    ...(s.sslmode === 'disable' ? [] : ['# for clients of MySQL: --ssl-mode=VERIFY_IDENTITY on the command line']),
  ].join('\n')
}

function passwordNote(password: string, form: string): string {
  if (form === 'mysql' || form === 'mariadb') return `# password: export MYSQL_PWD=${shellWord(password)}`
  return `# password: ${password}`
}

/** What `sallyport mysql` gives to the client; the password goes into the file as well. */
export function clientOptions(settings: ClientSettings, flavour: Flavour): readonly Option[] {
  return [...placeOptions(settings), ...tlsOptions(settings, flavour), ...passwordOptions(settings)]
}

function placeOptions(s: ClientSettings): Option[] {
  const place: Option[] = isSocket(s)
    ? [
        ['protocol', 'SOCKET'],
        ['socket', socketPath(s)],
      ]
    : [
        ['protocol', 'TCP'], // otherwise `localhost` would mean a socket
        ['host', s.host],
        ['port', String(s.port)],
      ]
  return [...place, ['user', s.user]]
}

/** MariaDB's clients from 11.4 on insist on TLS unless they are told; MySQL's go without where the server has none. */
function tlsOptions(s: ClientSettings, flavour: Flavour): Option[] {
  const ca: Option[] = s.sslrootcert ? [['ssl-ca', s.sslrootcert]] : []
  if (flavour === 'mysql')
    return s.sslmode === 'disable' ? [['ssl-mode', 'DISABLED']] : [['ssl-mode', 'VERIFY_IDENTITY'], ...ca]
  return s.sslmode === 'disable' ? [['skip-ssl']] : [['ssl'], ['ssl-verify-server-cert'], ...ca]
}

function passwordOptions({ password }: ClientSettings): Option[] {
  return password === null ? [] : [['password', password]]
}

function toCommand(s: ClientSettings, flavour: Flavour): string {
  const options = [...placeOptions(s), ...tlsOptions(s, flavour)].map(([name, value]) =>
    value === undefined ? `--${name}` : `--${name}=${value}`,
  )
  return [flavour, ...options, ...(s.database === '' ? [] : [s.database])].map(shellWord).join(' ')
}

/** The client reads the host, the port and the password from its environment; the others are for programs. */
function environment(s: ClientSettings): [string, string][] {
  const place: [string, string][] = isSocket(s)
    ? [['MYSQL_UNIX_PORT', socketPath(s)]]
    : [
        ['MYSQL_HOST', s.host],
        ['MYSQL_TCP_PORT', String(s.port)],
      ]
  return [
    ...place,
    ['MYSQL_USER', s.user],
    ...(s.database === '' ? [] : [['MYSQL_DATABASE', s.database] satisfies [string, string]]),
    ...(s.password === null ? [] : [['MYSQL_PWD', s.password] satisfies [string, string]]),
  ]
}

/** As MySQL Shell has it; drivers with names of their own for TLS ignore ours, and are refused without TLS by the broker's port. */
function toUrl(s: ClientSettings): string {
  const place = isSocket(s) ? 'localhost' : hostPort(s)
  const parameters = {
    ...(isSocket(s) ? { socket: socketPath(s) } : {}),
    ...(s.sslmode === 'disable'
      ? {}
      : { 'ssl-mode': 'VERIFY_IDENTITY', ...(s.sslrootcert ? { 'ssl-ca': s.sslrootcert } : {}) }),
  }
  const more = query(parameters)
  return `mysql://${escapeUrl(s.user)}@${place}/${escapeUrl(s.database)}${more === '' ? '' : `?${more}`}`
}

function toJdbc(s: ClientSettings): string {
  if (isSocket(s)) throw new TypeError('JDBC cannot use a Unix socket; leave out --socket')
  const sslMode = s.sslmode === 'disable' ? 'DISABLED' : 'VERIFY_IDENTITY'
  return `jdbc:mysql://${hostPort(s)}/${escapeUrl(s.database)}?${query({ user: s.user, sslMode })}`
}

/** Parameter of its command line (DBeaver documentation, "Command Line"), which has no way to quote a bar. */
function toDbeaver(s: ClientSettings): string {
  if (isSocket(s)) throw new TypeError('DBeaver cannot use a Unix socket; leave out --socket')
  const pairs = [
    ['driver', 'mysql8'],
    ['name', s.name],
    ['host', s.host],
    ['port', String(s.port)],
    ...(s.database === '' ? [] : [['database', s.database]]),
    ['user', s.user],
    ['prop.sslMode', s.sslmode === 'disable' ? 'DISABLED' : 'VERIFY_IDENTITY'],
    ['savePassword', 'false'],
    ['connect', 'true'],
  ]
  if (pairs.flat().some((text) => text.includes('|'))) throw new TypeError('DBeaver cannot read a name with |')
  return `dbeaver -con ${shellWord(pairs.map((pair) => pair.join('=')).join('|'))}`
}

/** File name of a Unix socket, by its port. */
export function socketName(port: number): string {
  return `mysql-${port}.sock`
}

function socketPath(s: Pick<ClientSettings, 'host' | 'port'>): string {
  return join(s.host, socketName(s.port))
}
