import { holds } from './conditions.ts'
import type { Policy, Statement } from './policy.ts'
import { matchesArn, matchesWildcard } from './wildcard.ts'

/** Keys in lower case; a key may have several values. */
export type RequestContext = ReadonlyMap<string, readonly string[]>

export interface Access {
  /** e.g. `rds-db:connect` */
  readonly action: string
  readonly resource: string
  readonly context: RequestContext
}

/** `deny` is an explicit one; `none` means that no statement matched. */
export type Verdict = 'allow' | 'deny' | 'none'

/**
 * What some policies of one type say together.
 * @param concerns which statements count at all: a trust policy's are chosen by their principal
 */
export function evaluate(policies: readonly Policy[], access: Access, concerns = (_: Statement) => true): Verdict {
  let verdict: Verdict = 'none'
  for (const policy of policies) {
    for (const statement of policy.statements) {
      if (!concerns(statement) || !matches(statement, access, policy.hasVariables)) continue
      if (statement.effect === 'Deny') return 'deny'
      verdict = 'allow'
    }
  }
  return verdict
}

function matches(statement: Statement, access: Access, hasVariables: boolean): boolean {
  const expand = (text: string) => (hasVariables ? replaceVariables(text, access.context) : text)
  const action = access.action.toLowerCase()
  if (statement.actions.some((one) => matchesWildcard(one.toLowerCase(), action)) === statement.exceptActions)
    return false
  const named = statement.resources.some((one) => {
    const pattern = expand(one)
    return pattern !== null && matchesArn(pattern, access.resource)
  })
  if (named === statement.exceptResources) return false
  return statement.conditions.every(({ operator, key, values }) => {
    const expected = values.map(expand)
    if (expected.includes(null)) return false // a variable without a value fails the condition
    return holds(operator, expected as string[], access.context.get(key))
  })
}

/** `${key}`, `${key, 'default'}`, and the escapes `${*}`, `${?}`, `${$}`; null when a key has no single value. */
function replaceVariables(text: string, context: RequestContext): string | null {
  let missing = false
  const replaced = text.replaceAll(/\$\{([^}]*)\}/g, (_, inside: string) => {
    if (inside === '*' || inside === '?' || inside === '$') return inside
    const [key = '', fallback] = inside.split(/,\s*/)
    const values = context.get(key.trim().toLowerCase())
    if (values?.length === 1) return values[0] as string
    if (fallback) return fallback.replaceAll("'", '')
    missing = true
    return ''
  })
  return missing ? null : replaced
}
