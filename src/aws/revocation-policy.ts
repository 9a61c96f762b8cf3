/**
 * The permissions boundary of revocable roles: what its owner wrote, and one deny statement for the ids of grants, one for those
 * of sessions, for each quarter of an hour until which their credentials can work. The statement's Sid holds that instant, so
 * that the document itself says when an entry can be removed, even to a broker that lost its store. Pure.
 */
export interface Denial {
  /** By the tag of a grant or session, or by when the credentials were issued, whatever their tags. */
  readonly by: 'grant' | 'session' | 'issued'
  /** For `issued` an instant like `2026-11-24T13:15:00Z`: what was issued before is denied. */
  readonly id: string
  /** Epoch milliseconds after which no credentials with this tag can work. */
  readonly until: number
}

export interface PolicyDocument {
  readonly Version: string
  readonly Statement: readonly unknown[]
}

/** Most characters of a managed policy, blanks not counted. */
export const longestPolicy = 6144
const stepMs = 900_000
const sids = {
  grant: 'SallyportGrantsUntil',
  session: 'SallyportSessionsUntil',
  issued: 'SallyportIssuedUntil',
} as const

/** The current entries, and the statements that are not the broker's. */
export function readBoundary(document: PolicyDocument): { denials: Denial[]; others: unknown[] } {
  const denials: Denial[] = []
  const others: unknown[] = []
  for (const statement of [document.Statement].flat()) {
    const found = readStatement(statement)
    if (found) denials.push(...found)
    else others.push(statement)
  }
  return { denials, others }
}

/**
 * The document with these entries added, and without expired ones.
 * @returns undefined when nothing changes
 */
export function withDenials(
  document: PolicyDocument,
  wanted: readonly Denial[],
  now: number,
): PolicyDocument | undefined {
  const { denials, others } = readBoundary(document)
  const merged = new Map<string, Denial>()
  for (const denial of [...denials, ...wanted]) {
    const key = `${denial.by} ${denial.id}`
    const until = Math.max(roundUp(denial.until), merged.get(key)?.until ?? 0)
    if (until > now) merged.set(key, { ...denial, until })
  }
  const next = { Version: '2012-10-17', Statement: [...others, ...writeStatements([...merged.values()])] }
  const before = { Version: '2012-10-17', Statement: [...others, ...writeStatements(denials)] }
  return JSON.stringify(next) === JSON.stringify(before) ? undefined : next
}

function writeStatements(denials: readonly Denial[]): unknown[] {
  const groups = Object.groupBy(denials, ({ by, until }) => `${sids[by]}${stamp(until)}`)
  return Object.entries(groups)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([sid, group = []]) => ({
      Sid: sid,
      Effect: 'Deny',
      Action: '*',
      Resource: '*',
      Condition: conditionOf(group[0]?.by ?? 'grant', group.map(({ id }) => id).sort()),
    }))
}

function conditionOf(by: Denial['by'], ids: readonly string[]): Record<string, Record<string, unknown>> {
  return by === 'issued'
    ? { DateLessThan: { 'aws:TokenIssueTime': ids } } // any of them
    : { StringEquals: { [`aws:PrincipalTag/sallyport:${by}`]: ids } }
}

function readStatement(statement: unknown): Denial[] | undefined {
  const { Sid, Condition } = (statement ?? {}) as { Sid?: unknown; Condition?: Record<string, object> }
  for (const by of ['grant', 'session', 'issued'] as const) {
    if (typeof Sid !== 'string' || !Sid.startsWith(sids[by])) continue
    const until = instantOf(Sid.slice(sids[by].length))
    const [[operator, keys] = ['', {}]] = Object.entries(conditionOf(by, []))
    const values = Object.entries(Condition?.[operator] ?? {}).find(([key]) => key in keys)?.[1] as unknown
    if (until === undefined || values === undefined) return undefined
    return [values].flat().map((id) => ({ by, id: String(id), until }))
  }
  return undefined
}

const roundUp = (at: number) => Math.ceil(at / stepMs) * stepMs

/** Sids are letters and digits: `20261124T1315Z`. */
function stamp(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replaceAll(/[-:]/g, '')}Z`
}

function instantOf(text: string): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)Z$/.exec(text)
  if (!parts) return undefined
  const [, year, month, day, hour, minute] = parts
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:00Z`)
  return Number.isNaN(at) ? undefined : at
}
