import { isOperator } from './conditions.ts'

/**
 * The grammar of IAM policy documents (IAM User Guide, "Grammar of the IAM JSON policy language"), as far as the sandbox's
 * policies go: Sid, Effect, Principal (trust policies), Action/NotAction, Resource/NotResource, Condition. Left out:
 * NotPrincipal, which nothing here uses and which is refused.
 */
export interface Policy {
  /** `${…}` is replaced only from 2012-10-17 on. */
  readonly hasVariables: boolean
  readonly statements: readonly Statement[]
}

export interface Statement {
  readonly effect: 'Allow' | 'Deny'
  readonly actions: readonly string[]
  /** The lists say what is *not* meant. */
  readonly exceptActions: boolean
  readonly resources: readonly string[]
  readonly exceptResources: boolean
  /** Of a trust policy: values by type (`AWS`, `Service`, `Federated`); `{ AWS: ['*'] }` for `"*"`. */
  readonly principals: Readonly<Record<string, readonly string[]>>
  readonly conditions: readonly Condition[]
}

export interface Condition {
  readonly operator: string
  readonly key: string
  readonly values: readonly string[]
}

export class PolicyError extends Error {
  override readonly name = 'PolicyError'
}

type Json = Readonly<Record<string, unknown>>
const statementKeys = ['Sid', 'Effect', 'Principal', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition']

/** @throws PolicyError saying what is wrong with it */
export function parsePolicy(document: unknown, use: 'identity' | 'trust'): Policy {
  const policy = object(document, 'the policy')
  onlyKeys(policy, ['Version', 'Id', 'Statement'], 'the policy')
  const version = policy.Version ?? '2008-10-17'
  if (version !== '2012-10-17' && version !== '2008-10-17') throw new PolicyError('unknown Version')
  const statements = [policy.Statement].flat()
  if (statements.length === 0) throw new PolicyError('a policy needs a Statement')
  return {
    hasVariables: version === '2012-10-17',
    statements: statements.map((statement) => parseStatement(object(statement, 'a statement'), use)),
  }
}

function parseStatement(statement: Json, use: 'identity' | 'trust'): Statement {
  onlyKeys(statement, statementKeys, 'a statement')
  const { Sid: sid = '', Effect: effect } = statement
  if (typeof sid !== 'string' || !/^[A-Za-z0-9]*$/.test(sid)) throw new PolicyError('Sid must be letters and digits')
  if (effect !== 'Allow' && effect !== 'Deny') throw new PolicyError('Effect must be Allow or Deny')
  const actions = oneOf(statement, 'Action', 'NotAction')
  for (const action of actions.values)
    if (!/^(\*|[a-zA-Z0-9-]+:[a-zA-Z0-9*?]+)$/.test(action)) throw new PolicyError(`bad action ${action}`)
  const resources = use === 'trust' ? { values: ['*'], except: false } : oneOf(statement, 'Resource', 'NotResource')
  for (const resource of resources.values)
    if (resource !== '*' && resource.split(':').length < 6) throw new PolicyError(`bad resource ${resource}`)
  if (use === 'trust' && (statement.Resource ?? statement.NotResource) !== undefined)
    throw new PolicyError('a trust policy has no Resource')
  return {
    effect,
    actions: actions.values,
    exceptActions: actions.except,
    resources: resources.values,
    exceptResources: resources.except,
    principals: parsePrincipals(statement.Principal, use),
    conditions: parseConditions(statement.Condition),
  }
}

function parsePrincipals(principal: unknown, use: 'identity' | 'trust'): Record<string, readonly string[]> {
  if (use === 'identity') {
    if (principal !== undefined) throw new PolicyError('an identity policy has no Principal')
    return {}
  }
  if (principal === '*') return { AWS: ['*'] }
  return Object.fromEntries(
    Object.entries(object(principal, 'Principal')).map(([type, value]) => [type, strings(value, `Principal.${type}`)]),
  )
}

function parseConditions(block: unknown): Condition[] {
  if (block === undefined) return []
  return Object.entries(object(block, 'Condition')).flatMap(([operator, keys]) => {
    if (!isOperator(operator)) throw new PolicyError(`unknown condition operator ${operator}`)
    return Object.entries(object(keys, operator)).map(([key, value]) => ({
      operator,
      key: key.toLowerCase(),
      values: strings(value, key),
    }))
  })
}

function oneOf(statement: Json, plain: string, negated: string): { values: string[]; except: boolean } {
  const [a, b] = [statement[plain], statement[negated]]
  if ((a === undefined) === (b === undefined)) throw new PolicyError(`a statement needs ${plain} or ${negated}`)
  const values = strings(a ?? b, plain)
  if (values.length === 0) throw new PolicyError(`${plain} is empty`)
  return { values, except: a === undefined }
}

/** Policies may write a lone string, boolean or number instead of a list. */
function strings(value: unknown, name: string): string[] {
  return [value].flat().map((item: unknown) => {
    if (typeof item === 'string') return item
    if (typeof item === 'boolean' || typeof item === 'number') return String(item)
    throw new PolicyError(`${name} must be text`)
  })
}

function object(value: unknown, name: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  throw new PolicyError(`${name} must be an object`)
}

function onlyKeys(value: Json, known: readonly string[], name: string): void {
  const unknown = Object.keys(value).find((key) => !known.includes(key))
  if (unknown) throw new PolicyError(`${name} has an unknown element ${unknown}`)
}
