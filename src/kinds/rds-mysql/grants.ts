/**
 * Lines of SHOW GRANTS, of MySQL ("SHOW GRANTS Statement") and of MariaDB. The names of databases are patterns there, where `\_` and
 * `\%` stand for themselves. Left out: REVOKE lines, by which MySQL shows partial revokes, so that more is read than is held.
 */
export interface HeldGrant {
  /** `SELECT`, `ALL PRIVILEGES`, `SELECT (a, b)` … in upper case, without columns. */
  readonly privileges: readonly string[]
  /** `*.*`; a database; or an object in one. */
  readonly scope: 'global' | 'database' | 'object'
  /** Pattern of its name; empty for all. */
  readonly database: string
  readonly mayGrant: boolean
}

export interface HeldGrants {
  readonly grants: readonly HeldGrant[]
  /** Roles, as they are named: `name`. */
  readonly roles: readonly string[]
  /** It may be used as another account. */
  readonly isProxy: boolean
  /** Lines of a form that is not known. */
  readonly unread: number
}

const quoted = '(?:`(?:[^`]|``)*`|"(?:[^"]|"")*"|\'(?:[^\']|\'\')*\'|[A-Za-z0-9_$%.-]+)'
const account = `${quoted}(?:@${quoted})?`
const onLine = new RegExp(
  `^GRANT (?<privileges>.+?) ON (?:(?:TABLE|FUNCTION|PROCEDURE|PACKAGE|PACKAGE BODY) )?(?<database>\\*|${quoted})\\.(?<object>\\*|${quoted}) TO ${account}(?<rest>.*)$`,
  's',
)
const proxyLine = /^GRANT PROXY ON /
const roleLine = new RegExp(`^GRANT (?<roles>${account}(?:, ?${account})*) TO ${account}`)
const defaultRole = /^SET DEFAULT ROLE /
const revokeLine = /^REVOKE /

export function readGrants(lines: readonly string[]): HeldGrants {
  const grants: HeldGrant[] = []
  const roles: string[] = []
  let isProxy = false
  let unread = 0
  for (const line of lines) {
    const on = onLine.exec(line)?.groups
    const given = roleLine.exec(line)?.groups
    if (proxyLine.test(line)) isProxy = true
    else if (on) grants.push(toGrant(on))
    else if (given) roles.push(...namesIn(given.roles ?? ''))
    else if (!revokeLine.test(line) && !defaultRole.test(line)) unread += 1
  }
  return { grants, roles, isProxy, unread }
}

function toGrant({ privileges = '', database = '', object = '', rest = '' }: Record<string, string>): HeldGrant {
  const scope = database === '*' ? 'global' : object === '*' ? 'database' : 'object'
  return {
    privileges: privileges
      .replaceAll(/\([^)]*\)/g, '') // columns
      .split(',')
      .map((privilege) => privilege.trim().toUpperCase())
      .filter((privilege) => privilege !== '' && privilege !== 'USAGE'),
    scope,
    database: database === '*' ? '' : unquoted(database),
    mayGrant: /\bWITH\b.*\bGRANT OPTION\b/.test(rest),
  }
}

function namesIn(roles: string): string[] {
  return [...roles.matchAll(new RegExp(`(${quoted})(?:@${quoted})?`, 'g'))].map(([, name = '']) => unquoted(name))
}

function unquoted(name: string): string {
  const [quote = ''] = name
  return /[`"']/.test(quote) ? name.slice(1, -1).replaceAll(quote + quote, quote) : name
}

/** Whether a pattern of GRANT is this database. */
export function isPatternOf(pattern: string, database: string): boolean {
  const source = pattern.replaceAll(/\\?[\s\S]/g, (part) => {
    if (part === '%') return '[\\s\\S]*'
    if (part === '_') return '[\\s\\S]'
    const character = part.length === 2 && part.startsWith('\\') ? part.slice(1) : part
    return character.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&')
  })
  return new RegExp(`^${source}$`).test(database)
}

/** What a pattern of GRANT stands for, or the pattern itself where it stands for several. */
export function namedBy(pattern: string): { readonly name: string; readonly isWide: boolean } {
  const isWide = /(?<!\\)[%_]/.test(pattern)
  return { name: pattern.replaceAll(/\\([_%\\])/g, '$1'), isWide }
}
