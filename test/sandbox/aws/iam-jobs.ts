/**
 * IAM's last-accessed details of roles (version 2010-05-08): a job, which is not done when it is asked for the first time, and can be read by the session
 * that made it alone. Left out: users, groups and policies, actions, who used it.
 */
import { randomUUID } from 'node:crypto'
import type { Xml } from './answers.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'
import { createPager, type Pager } from './pager.ts'
import { findRole, type World } from './world.ts'

interface Job {
  readonly roleArn: string
  readonly madeBy: string
  asked: number
}

const jobsOf = new WeakMap<World, { readonly jobs: Map<string, Job>; readonly pager: Pager }>()

function stateOf(world: World) {
  const state = jobsOf.get(world) ?? {
    jobs: new Map<string, Job>(),
    pager: createPager(() => new AwsFault('InvalidInput', 400, 'Invalid Marker.')),
  }
  jobsOf.set(world, state)
  return state
}

/** @throws AwsFault NoSuchEntity */
export function makeJob(world: World, caller: Caller, roleArn: string): string {
  if (!findRole(world, roleArn)) throw new AwsFault('NoSuchEntity', 404, `Arn ${roleArn} does not exist.`)
  const id = randomUUID()
  stateOf(world).jobs.set(id, { roleArn, madeBy: caller.arn, asked: 0 })
  return id
}

/** @throws AwsFault NoSuchEntity, InvalidInput */
export function readJob(world: World, caller: Caller, parameters: ReadonlyMap<string, string>): readonly Xml[] {
  const { jobs, pager } = stateOf(world)
  const id = parameters.get('JobId') ?? ''
  const job = jobs.get(id)
  if (!job || job.madeBy !== caller.arn) throw new AwsFault('NoSuchEntity', 404, `JobId ${id} does not exist.`)
  const size = Number(parameters.get('MaxItems') ?? '100')
  if (!Number.isInteger(size) || size < 1 || size > 1000)
    throw new AwsFault('ValidationError', 400, 'MaxItems is not within 1 to 1000')
  const created: Xml = ['JobCreationDate', '2026-01-15T12:00:00Z']
  job.asked += 1
  if (job.asked === 1)
    return [
      ['JobStatus', 'IN_PROGRESS'],
      created,
      ['ServicesLastAccessed', []],
      ['JobCompletionDate', '2026-01-15T12:00:00Z'],
    ]
  const services = Object.entries(findRole(world, job.roleArn)?.services ?? {}).sort()
  const { pageSize, hasEmptyPages } = world.lists
  const ask = { list: id, token: parameters.get('Marker'), size: Math.min(size, pageSize), hasEmptyPages }
  const page = pager(ask, services, ([service]) => service)
  return [
    ['JobStatus', 'COMPLETED'],
    created,
    [
      'ServicesLastAccessed',
      page.items.map(
        ([service, { name, lastUsedAt, region }]): Xml => [
          'member',
          [
            ['ServiceName', name],
            ...(lastUsedAt === null ? [] : [['LastAuthenticated', instant(lastUsedAt)] as const]),
            ['ServiceNamespace', service],
            ...(region === undefined ? [] : [['LastAuthenticatedRegion', region] as const]),
            ['TotalAuthenticatedEntities', lastUsedAt === null ? '0' : '1'],
          ],
        ],
      ),
    ],
    ['JobCompletionDate', '2026-01-15T12:00:05Z'],
    ['IsTruncated', String(page.NextToken !== undefined)],
    ...(page.NextToken === undefined ? [] : [['Marker', page.NextToken] as const]),
  ]
}

const instant = (at: number) => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
