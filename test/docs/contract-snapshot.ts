import { existsSync, readFileSync } from 'node:fs'
import type { Body, RouteContract } from '../../src/contract/route-contract.ts'
import { routes } from '../../src/contract/routes.ts'

/** By route, then by place (`who`, `query.all?`, `answer 200.grants[].id`): what is there. */
export type Snapshot = Readonly<Record<string, Readonly<Record<string, string>>>>

const file = new URL('../fixtures/contract.json', import.meta.url)

/**
 * The contract as it is now, to be committed.
 * @throws Error when it has lost something that the committed one has: clients of the last release rely on it
 */
export function renderContract(): string {
  const now = takeSnapshot(routes)
  const before: Snapshot = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
  const gone = findLost(before, now)
  if (gone.length > 0)
    throw new Error(
      `The contract only grows: add a member or a route beside what is there. If no released client can notice the change, edit test/fixtures/contract.json by hand first.\n${gone.join('\n')}`,
    )
  return `${JSON.stringify(now, null, 2)}\n`
}

/** Descriptions and summaries are left out: they may change. */
export function takeSnapshot(contracts: Readonly<Record<string, RouteContract>>): Snapshot {
  return Object.fromEntries(
    Object.keys(contracts)
      .sort()
      .map((key) => [key, describe(contracts[key])]),
  )
}

function describe(contract: RouteContract | undefined): Record<string, string> {
  if (!contract) return {}
  const { access, scope, interactive, params, query, body, answer } = contract
  return Object.fromEntries([
    ['who', [access, ...(scope ? [`scope ${scope}`] : []), ...(interactive ? ['interactive'] : [])].join(', ')],
    ...(params ? flatten(params, 'params') : []),
    ...(query ? flatten(query, 'query') : []),
    ...(body ? flatten(body, 'body') : []),
    ...Object.entries(answer).flatMap(([status, given]) => flattenBody(given, `answer ${status}`)),
  ])
}

function flattenBody(body: Body, place: string): [string, string][] {
  if (typeof body === 'string') return [[place, body]]
  if ('lines' in body) return body.lines.flatMap((line, i) => flatten(line, `${place}.line${i}`))
  return flatten(body, place)
}

/** The keywords that the contract uses. */
export interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | JsonSchema
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly enum?: readonly (string | null)[]
  readonly description?: string
}

function flatten(schema: JsonSchema, place: string): [string, string][] {
  const { properties = {}, required = [], items, additionalProperties } = schema
  return [
    [place, typeText(schema)],
    ...Object.entries(properties).flatMap(([name, member]) =>
      flatten(member, `${place}.${name}${required.includes(name) ? '' : '?'}`),
    ),
    ...(items ? flatten(items, `${place}[]`) : []),
    ...(typeof additionalProperties === 'object' ? flatten(additionalProperties, `${place}{}`) : []),
  ]
}

/** `"active" | "expired"`, `string | null`, `integer {"minimum":1}` */
function typeText(schema: JsonSchema): string {
  const {
    type,
    properties: _,
    required: __,
    additionalProperties: ___,
    items: ____,
    description: _____,
    ...rest
  } = schema
  const { anyOf, enum: values, ...limits } = rest
  if (anyOf) return anyOf.map(typeText).join(' | ')
  const kinds = values ? values.map((value) => JSON.stringify(value)) : [type ?? 'anything'].flat()
  return [kinds.join(' | '), ...(Object.keys(limits).length > 0 ? [JSON.stringify(limits)] : [])].join(' ')
}

/** What a client that was built on `before` would miss, or would now have to say. */
export function findLost(before: Snapshot, now: Snapshot): string[] {
  return Object.entries(before).flatMap(([key, places]) => {
    const current = now[key]
    if (!current) return [`${key} is gone`]
    const lost = Object.entries(places).flatMap(([place, was]) => compare(`${key} ${place}`, was, current[place]))
    const demanded = Object.keys(current).filter((place) => !(place in places) && isDemand(place, places))
    return [...lost, ...demanded.map((place) => `${key} ${place} is demanded, and was not: make it optional`)]
  })
}

function compare(what: string, was: string, is: string | undefined): string[] {
  if (is === undefined) return [`${what} is gone, was ${was}`]
  if (was === is || isLongerList(was, is)) return []
  return [`${what} was ${was}, is ${is}`]
}

/** A list of values may get another one. */
function isLongerList(was: string, is: string): boolean {
  const values = is.split(' | ')
  return was.startsWith('"') && was.split(' | ').every((value) => values.includes(value)) && /^["n]/.test(is)
}

/** A new member of something that was there and that clients send. */
function isDemand(place: string, before: Readonly<Record<string, string>>): boolean {
  const parent = place.slice(0, place.lastIndexOf('.'))
  const isInput = /^(params|query|body)\b/.test(place)
  return isInput && !place.endsWith('?') && (parent in before || !place.includes('.'))
}
