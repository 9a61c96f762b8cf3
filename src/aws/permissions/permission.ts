import { fill } from '../policies/document.ts'
import type { PolicyEntry } from '../policies/table.ts'

/** Something that a role of the broker must be allowed, as it is asked about. */
export interface Permission {
  /** `iam:GetPolicy` */
  readonly action: string
  /** Why it is needed. */
  readonly reason: string
  readonly severity: Severity
  /** One that the statement means: wildcards stand for a name that nothing has. */
  readonly resource: string
  /** Which satisfies the statement's conditions. */
  readonly context: readonly ContextEntry[]
}

/** high: sessions fail, or cannot be ended; medium: the catalog is incomplete; low: a check cannot be made. */
export type Severity = 'low' | 'medium' | 'high'

/** A condition key of a simulated request. */
export interface ContextEntry {
  readonly key: string
  readonly type: 'string' | 'boolean' | 'date' | 'numeric'
  readonly values: readonly string[]
}

/** Stands for wildcards. */
const anyName = 'sallyport-check'

/**
 * What the statements of a document allow, action by action; each once.
 * @param filled text of a statement with its values; by default `values`
 * @param values what stands for the values of the statements; `account` and `region` also for wildcards in their place
 */
export function permissionsIn(
  { statements }: Pick<PolicyEntry, 'statements'>,
  values: Readonly<Record<string, string>>,
  filled: (text: string) => string = (text) => fill(text, values),
): Permission[] {
  const all = statements.flatMap(({ actions, resources = ['*'], conditions = {} }) => {
    const [resource = '*'] = resources
    const context = Object.entries(conditions).flatMap(([operator, keys]) =>
      Object.entries(keys).map(([key, value]) => entryFor(operator, key, filled(value))),
    )
    return Object.entries(actions).map(([action, reason]): Permission => {
      const severity = severityOf(action, reason)
      return { action, reason, severity, resource: concrete(filled(resource), values), context }
    })
  })
  const byAction = new Map(all.toReversed().map((one) => [`${one.action} ${one.resource}`, one]))
  return [...byAction.values()].sort((a, b) => (a.action < b.action ? -1 : 1))
}

function severityOf(action: string, reason: string): Severity {
  if (reason.startsWith('aws validate')) return 'low'
  return /:(?:Describe|List|Get|Lookup|BatchGet)/.test(action) && !/:Get(?:Policy|Document)/.test(action)
    ? 'medium'
    : 'high'
}

/** `*` alone means every resource, and stays. */
function concrete(resource: string, { account = '', region = '' }: Readonly<Record<string, string>>): string {
  if (resource === '*') return resource
  const [arn = '', partition = '', service = '', where = '', owner = '', ...rest] = resource.split(':')
  const place = [arn, partition, service, where === '*' ? region : where, owner === '*' ? account : owner]
  return [...place, rest.join(':').replaceAll(/[*?]+/g, anyName)].join(':')
}

function entryFor(operator: string, key: string, value: string): ContextEntry {
  const values = [value.replaceAll(/[*?]+/g, anyName)]
  if (operator.startsWith('Bool')) return { key, type: 'boolean', values }
  if (operator.startsWith('Numeric')) return { key, type: 'numeric', values }
  return { key, type: operator.startsWith('Date') ? 'date' : 'string', values }
}
