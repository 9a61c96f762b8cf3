import type { RoleLevel } from './level.ts'

const version = '2012-10-17'
const allowAll = { Effect: 'Allow', Action: '*', Resource: '*' }

/**
 * The inline session policy of one set of credentials. STS issues nothing shorter than 15 minutes: near the end of a grant the
 * policy itself states when they end, so that AWS refuses them from then on.
 * @param endsAt epoch milliseconds; null: they expire before the grant ends
 * @returns JSON, or null when none is needed
 */
export function sessionPolicy(level: RoleLevel, endsAt: number | null): string | null {
  if (endsAt === null) return level.sessionPolicy
  const until = new Date(endsAt).toISOString().replace(/\.\d+Z$/, 'Z')
  const end = {
    Effect: 'Deny',
    Action: '*',
    Resource: '*',
    Condition: { DateGreaterThanEquals: { 'aws:CurrentTime': until } },
  }
  const { Statement: written = [] } = JSON.parse(level.sessionPolicy ?? '{}') as { Statement?: unknown }
  const statements = [written].flat()
  // Session policies add up: with managed ones beside it, an Allow of everything here would undo them.
  const isAlone = statements.length === 0 && level.policyArns.length === 0
  return JSON.stringify({ Version: version, Statement: [...statements, ...(isAlone ? [allowAll] : []), end] })
}
