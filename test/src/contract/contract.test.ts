/** The contract: every route declares what it takes and gives, nothing else leaves, and what is there stays. */
import AjvCompiler from '@fastify/ajv-compiler'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { Body, RouteContract } from '../../../src/contract/route-contract.ts'
import { type RouteKey, routes } from '../../../src/contract/routes.ts'
import { buildApp } from '../../../src/http/app.ts'
import { ajvOptions } from '../../../src/http/plugins/compiled-on-use.ts'
import { auditRoutes } from '../../../src/http/routes/audit.ts'
import type { Login } from '../../../src/identity/principal.ts'
import { route } from '../../../src/identity/route.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { findLost, type JsonSchema, takeSnapshot } from '../../docs/contract-snapshot.ts'
import { registeredRoutes } from '../../docs/http-page.ts'
import { makeSample, secret } from './sample.ts'

const contracts: Readonly<Record<string, RouteContract>> = routes
const keys = Object.keys(routes) as RouteKey[]

/** Places that are open, each with its reason. */
const open: Readonly<Record<string, string>> = {
  'GET /api/v1/recordings/:sessionId 200.line1': 'an entry is sent as it was recorded, since readers check the bytes',
  'GET /api/v1/audit/export 200.line0': 'a line is sent as it is in the log, since `audit verify` checks the bytes',
  'POST /callback/oidc/logout body': 'providers may send more (Back-Channel Logout 1.0, section 2.5)',
}

t.test('every route is in the contract as it registers, and the contract has no other', async (t) => {
  const registered = await registeredRoutes()
  t.same(registered.map(({ method, url }) => `${method} ${url}`).sort(), [...keys].sort())
  for (const { method, url, access, scope, interactive, websocket } of registered) {
    const contract = contracts[`${method} ${url}`]
    t.same(
      { access, scope, interactive, websocket },
      {
        access: contract?.access,
        scope: contract?.scope ?? null,
        interactive: contract?.interactive ?? false,
        websocket: contract?.answer[101] === 'websocket',
      },
      url,
    )
  }
})

t.test('every schema of what comes in compiles, since a daemon compiles it when it is first needed', async (t) => {
  const compile = AjvCompiler()({}, ajvOptions)
  for (const key of keys) {
    const { params, query, body } = contracts[key] ?? {}
    for (const schema of [params, query, body].filter((one) => one !== undefined))
      t.type(compile({ schema }), 'function', key)
  }
})

t.test('no schema is open', async (t) => {
  const found = keys.flatMap((key) => {
    const { params, query, body, answer } = contracts[key] ?? { answer: {} }
    t.ok(Object.keys(answer).length > 0, `${key} declares its answer`)
    return [
      ...findOpen(params, `${key} params`),
      ...findOpen(query, `${key} query`),
      ...findOpen(body, `${key} body`),
      ...Object.entries(answer).flatMap(([status, given]) => findOpenBody(given, `${key} ${status}`)),
    ]
  })
  t.same(found.sort(), Object.keys(open).sort())
})

function findOpenBody(body: Body, place: string): string[] {
  if (typeof body === 'string') return []
  if ('lines' in body) return body.lines.flatMap((line, i) => findOpen(line, `${place}.line${i}`))
  return findOpen(body, place)
}

/** Places that take anything: objects whose further members are not ruled out or typed, lists of anything, no type at all. */
function findOpen(schema: JsonSchema | undefined, place: string): string[] {
  if (!schema) return []
  const { type, properties = {}, additionalProperties, items, anyOf } = schema
  if (anyOf) return anyOf.flatMap((one, i) => findOpen(one, `${place}|${i}`))
  const types = [type ?? []].flat()
  const isOpen =
    types.length === 0 ||
    types.some((one) => !['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'].includes(one)) ||
    (types.includes('object') && (additionalProperties === undefined || additionalProperties === true)) ||
    (types.includes('array') && items === undefined)
  return [
    ...(isOpen ? [place] : []),
    ...Object.entries(properties).flatMap(([name, member]) => findOpen(member, `${place}.${name}`)),
    ...(typeof additionalProperties === 'object' ? findOpen(additionalProperties, `${place}{}`) : []),
    ...(items ? findOpen(items, `${place}[]`) : []),
  ]
}

t.test('an open schema is found wherever it is', async (t) => {
  const strict = { type: 'object', additionalProperties: false }
  const nested = (member: JsonSchema) => findOpen({ ...strict, properties: { member } }, '')
  t.same(nested({}), ['.member'])
  t.same(nested({ type: ['object', 'null'] }), ['.member'])
  t.same(nested({ type: 'object', additionalProperties: true }), ['.member'])
  t.same(nested({ type: 'object', additionalProperties: {} }), ['.member{}'])
  t.same(nested({ type: 'array' }), ['.member'])
  t.same(nested({ type: 'array', items: {} }), ['.member[]'])
  t.same(nested({ anyOf: [{ type: 'null' }, {}] }), ['.member|1'])
  t.same(nested({ ...strict, properties: { a: { type: 'string' } } }), [])
})

const principal = {
  id: 'prn_1',
  kind: 'person',
  issuer: '',
  subject: '',
  name: 'dave',
  email: null,
  groups: [],
  manager: null,
  active: true,
  lockedAt: null,
  ownerId: null,
  madeBy: null,
} as const
const login: Login = {
  id: 'lgn_1',
  via: 'cli',
  principal,
  roles: ['user', 'auditor', 'admin'],
  interactive: true,
  authenticatedAt: 0,
  acr: null,
  scopes: null,
  cidr: null,
  expiresAt: Number.MAX_SAFE_INTEGER,
}

async function startApp(t: Test, register: (app: FastifyInstance) => void) {
  const identity = { authenticate: async () => login } as never
  const app = await buildApp({
    identity,
    logger: pino({ level: 'silent' }),
    metrics: createMetrics(),
    publicUrl: 'https://access.example.com',
    trustedProxies: [],
    rateLimit: 100_000,
    routes: [
      async (scope) => {
        scope.setValidatorCompiler(() => () => true) // of what comes in only the path counts here
        register(scope)
      },
    ],
  })
  t.teardown(() => app.close())
  await app.ready()
  return async (key: string) => {
    const [method = '', url = ''] = key.split(' ')
    const payload = method === 'POST' ? { payload: {} } : {}
    return await app.inject({
      method: method as 'GET',
      url,
      headers: { authorization: 'Bearer x' },
      ...payload,
    })
  }
}

/** Routes with a JSON answer, each with its status. */
const jsonAnswers = keys.flatMap((key) =>
  Object.entries(contracts[key]?.answer ?? {}).flatMap(([status, body]) =>
    typeof body === 'string' || 'lines' in body ? [] : [{ key, status: Number(status), schema: body as JsonSchema }],
  ),
)

t.test('a member too many in any object of any answer does not leave, and nothing else is lost', async (t) => {
  t.ok(jsonAnswers.length > 35, `${jsonAnswers.length} answers`)
  let given: unknown
  const call = await startApp(t, (app) => {
    for (const key of new Set(jsonAnswers.map((answer) => answer.key))) route(app, key, () => given as never)
  })
  for (const { key, status, schema } of jsonAnswers) {
    const isOneOfSeveral = Object.keys(contracts[key]?.answer ?? {}).length > 1
    for (let turn = 0; turn < 8; turn++) {
      const { clean, planted } = makeSample(schema, turn)
      t.match(JSON.stringify(planted), secret, key)
      given = isOneOfSeveral ? { status, body: planted } : planted
      const response = await call(key)
      t.equal(response.statusCode, status, `${key} ${status}`)
      t.notMatch(response.body, secret, key)
      t.equal(canonical(response.json()), canonical(clean), key)
    }
  }
})

/** The order of members means nothing. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  )
}

t.test('what a handler sends past the contract does not leave either', async (t) => {
  const http = keys.filter((key) => contracts[key]?.answer[101] === undefined && key !== 'GET /api/v1/openapi.json')
  let status = 200
  const misbehave = ({ reply }: { reply: FastifyReply }) =>
    reply.code(status).send({ [secret]: secret, nested: { [secret]: secret } })
  const call = await startApp(t, (app) => {
    for (const key of http) route(app, key, misbehave as never)
  })
  for (status of [200, 201, 203, 400, 418, 503])
    for (const key of http) t.notMatch((await call(key)).body, secret, `${key} ${status}`)
})

t.test('a member too many in a line of the tail does not leave', async (t) => {
  const line = contracts['GET /api/v1/audit/tail']?.answer[200]
  const schema = typeof line === 'object' && 'lines' in line ? (line.lines[0] as JsonSchema) : {}
  const samples = [0, 1, 2, 3, 4].map((turn) => makeSample(schema, turn))
  const audit = {
    append: async () => undefined,
    search: async () => ({ events: [], next: null }),
    follow: async function* () {
      for (const { planted } of samples) yield planted
    },
  }
  const call = await startApp(t, (app) => app.register(auditRoutes({ audit, verifyAudit: async () => null } as never)))
  const { body } = await call('GET /api/v1/audit/tail')
  t.notMatch(body, secret)
  const lines = body.split('\n').filter((text) => text !== '')
  t.same(
    lines.map((text) => canonical(JSON.parse(text))),
    samples.map(({ clean }) => canonical(clean)),
  )
})

t.test('the committed contract only grows', async (t) => {
  const text = { type: 'string' }
  const contract = (given: object, asked: object = {}, required: readonly string[] = []) => ({
    'GET /x': {
      summary: '',
      access: 'user' as const,
      query: { type: 'object', properties: asked, required } as never,
      answer: { 200: { type: 'object', properties: given, required: Object.keys(given) } },
    },
  })
  const lost = (before: ReturnType<typeof contract>, now: Readonly<Record<string, RouteContract>>) =>
    findLost(takeSnapshot(before), takeSnapshot(now))
  t.same(lost(contract({ a: text }), contract({ a: { ...text, description: 'said otherwise' }, b: text })), [])
  t.same(lost(contract({ a: text }), {}), ['GET /x is gone'])
  t.same(lost(contract({ a: text, b: text }), contract({ a: text })), ['GET /x answer 200.b is gone, was string'])
  t.same(lost(contract({ a: text }), contract({ a: { type: ['string', 'null'] } })), [
    'GET /x answer 200.a was string, is string | null',
  ])
  t.same(lost(contract({ a: { ...text, enum: ['x'] } }), contract({ a: { ...text, enum: ['x', 'y'] } })), [])
  t.same(lost(contract({ a: { ...text, enum: ['x', 'y'] } }), contract({ a: { ...text, enum: ['x'] } })), [
    'GET /x answer 200.a was "x" | "y", is "x"',
  ])
  t.same(lost(contract({}, { q: text }), contract({}, { q: text, r: text })), [])
  t.same(lost(contract({}, { q: text }), contract({}, { q: text, r: text }, ['r'])), [
    'GET /x query.r is demanded, and was not: make it optional',
  ])
  const narrowed = { 'GET /x': { ...contract({})['GET /x'], access: 'admin' as const } }
  t.same(lost(contract({}), narrowed), ['GET /x who was user, is admin'])
})
