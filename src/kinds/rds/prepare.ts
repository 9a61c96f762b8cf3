import type { PreparationStep } from '../../catalog/preparation.ts'
import { databasePorts } from '../reach/policies.ts'
import { sessionDocumentStep } from '../session-document-step.ts'
import { placeholder } from './engine-users.ts'
import type { RdsLevel } from './level.ts'
import { isTemplate } from './personal-users.ts'
import type { RdsTarget } from './target.ts'

/** What a database user is for: levels by name, all of which sign in as it. */
export interface UserLevels {
  readonly user: string
  readonly levels: readonly string[]
  /** Names of databases; empty: the levels cover all, and the target names none. */
  readonly databases: readonly string[]
  readonly coversAll: boolean
  /** Every one of its levels is for reading. */
  readonly isReader: boolean
}

const readerName = /^(ro|read|reader|read[-_]?only)$/

/** Whether a level of this name is for reading. */
export function isReading(level: string): boolean {
  return readerName.test(level)
}

/**
 * Each database user once, in the order of the levels; those of single persons are left out.
 * @param saysReading whether a level is for reading whatever its name is
 */
export function usersOf<L extends RdsLevel>(
  { database }: RdsTarget,
  levels: ReadonlyMap<string, L>,
  saysReading: (level: L) => boolean = () => false,
): UserLevels[] {
  const shared = [...levels].filter(([, level]) => !isTemplate(level))
  const byUser = Map.groupBy(shared, ([, { dbUser }]) => dbUser)
  return [...byUser].map(([user, entries]) => {
    const named = [...new Set(entries.flatMap(([, level]) => level.databases))]
    const coversAll = named.includes('*')
    const listed = named.filter((name) => name !== '*')
    return {
      user,
      levels: entries.map(([name]) => name),
      databases: listed.length > 0 || database === '' ? listed : [database],
      coversAll,
      isReader: entries.every(([name, level]) => isReading(name) || saysReading(level)),
    }
  })
}

/** What is left to do for each person. */
export function forEachPerson(levels: ReadonlyMap<string, RdsLevel>): PreparationStep[] {
  const personal = [...levels].filter(([, level]) => isTemplate(level))
  if (personal.length === 0) return []
  const users = personal.map(([, { dbUser }]) => dbUser.replace(placeholder, 'alice'))
  return [
    {
      what: 'make a database user for each person who may get the level',
      levels: personal.map(([name]) => name),
      language: 'sql',
      text: `-- For alice, who signs in as ${[...new Set(users)].join(', ')}:\n-- sallyport aws prepare RESOURCE --login alice`,
    },
  ]
}

/** What is done with the AWS CLI: IAM authentication, and what instances lead to the target by. */
export function stepsInAws(target: RdsTarget): PreparationStep[] {
  const { region, via } = target
  return [turnOnIam(target), ...(via.length === 0 ? [] : [sessionDocumentStep(databasePorts, { region, levels: [] })])]
}

/** Signing in by IAM is off until it is turned on for the instance or the cluster, which needs no restart. */
function turnOnIam({ region, resourceId }: RdsTarget): PreparationStep {
  return {
    what: 'turn on IAM authentication, with the AWS CLI',
    levels: [],
    language: 'sh',
    text: commands(region, resourceId),
  }
}

function commands(region: string, resourceId: string): string {
  if (resourceId.startsWith('prx-'))
    return [
      '# RDS Proxy: set IAM authentication to "required" for each of its secrets (aws rds modify-db-proxy --auth …); it signs in to',
      '# the database with the secret of the user, which has a password there instead of what follows.',
    ].join('\n')
  const isCluster = resourceId.startsWith('cluster-')
  const [noun, list, key, name] = isCluster
    ? ['db-cluster', 'DBClusters', 'DbClusterResourceId', 'DBClusterIdentifier']
    : ['db-instance', 'DBInstances', 'DbiResourceId', 'DBInstanceIdentifier']
  return [
    `name=$(aws rds describe-${noun}s --region ${region} --query "${list}[?${key}=='${resourceId}'].${name}" --output text)`,
    `aws rds modify-${noun} --region ${region} --${noun}-identifier "$name" --enable-iam-database-authentication --apply-immediately`,
  ].join('\n')
}

/** Which of several users a step is for. */
export function stepTitle({ user, databases, coversAll }: UserLevels): string {
  const where = databases.length > 0 ? `on ${databases.join(', ')}` : 'on your databases'
  return `make the user ${user} and give it its privileges ${where}${coversAll ? ', and likewise on every other database that the level is for' : ''}`
}
