/** Every route and websocket × every kind of caller, against the running product: who may call what is decided by one door. */
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { WebSocket } from 'ws'
import { type Daemon, startDaemon } from '../../src/daemon.ts'
import type { RouteEntry } from '../../src/http/plugins/route-table.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import type { AccountName } from '../sandbox/oidc/accounts.ts'
import { createPerson, type Person } from '../sandbox/person.ts'
import { startSandbox } from '../sandbox/sandbox.ts'

interface Caller {
  readonly name: string
  readonly headers: Readonly<Record<string, string>>
  /** Null: nobody. */
  readonly roles: readonly string[] | null
  /** Null: a person, not an API token. */
  readonly scopes: readonly string[] | null
}

const sandbox = await startSandbox()
t.teardown(() => sandbox.close())
const files = await sandbox.writeConfig(`${sandbox.dir}/daemon`)
const started = await startDaemon({
  configFile: files.configFile,
  env: { ...process.env, ...files.env },
  logger: createLogger({ level: 'silent' }),
})
if (!started) throw new Error('the configuration of the sandbox is broken')
const daemon: Daemon = started
t.teardown(() => daemon.stop({ drainMs: 0 }))

/** Written by hand, so that a change of the product's own ideas about roles is seen here. */
const rolesOf: Readonly<Record<AccountName, readonly string[]>> = {
  alice: ['user'],
  bob: ['user'],
  carol: ['user', 'auditor'],
  dave: ['user', 'admin'],
}
/** Scopes that people of these roles may give to an API token of theirs. */
const scopesOf = { user: ['read', 'request', 'connect'], auditor: ['audit'], admin: ['admin'] } as const

const people = new Map<AccountName, { person: Person; cookie: string }>()
for (const name of ['alice', 'carol', 'dave'] as const) people.set(name, await signIn(name))
const callers: Caller[] = [
  { name: 'nobody', headers: {}, roles: null, scopes: null },
  { name: 'a made-up bearer', headers: { authorization: 'Bearer spa_made_up' }, roles: null, scopes: null },
  { name: 'a made-up cookie', headers: { cookie: 'sallyport=made-up', origin: files.url }, roles: null, scopes: null },
]
for (const [name, { cookie }] of people) {
  callers.push({ name, headers: { cookie, origin: files.url }, roles: rolesOf[name], scopes: null })
  for (const scope of rolesOf[name].flatMap((role) => scopesOf[role as keyof typeof scopesOf]))
    callers.push(await apiToken(name, [scope]))
}

async function signIn(name: AccountName): Promise<{ person: Person; cookie: string }> {
  const person = createPerson(name)
  await person.signIn(`${files.url}/login`)
  const echo = await person.fetch(`${files.url}/api/v1/whoami`)
  if (echo.status !== 200) throw new Error(`${name} is not signed in: ${await echo.text()}`)
  return { person, cookie: person.cookieFor(files.url) }
}

async function apiToken(name: AccountName, wanted: readonly string[]): Promise<Caller> {
  const { person } = people.get(name) ?? (await signIn(name))
  const response = await person.fetch(`${files.url}/api/v1/tokens`, {
    method: 'POST',
    headers: { origin: files.url, 'content-type': 'application/json' },
    body: JSON.stringify({ name: `for ${wanted}`, scopes: wanted, durationMs: 600_000 }),
  })
  if (response.status !== 201) throw new Error(`${name} gets no API token: ${await response.text()}`)
  const { token } = (await response.json()) as { token: string }
  const roles = rolesOf[name]
  return { name: `${name}'s token for ${wanted}`, headers: { authorization: `Bearer ${token}` }, roles, scopes: wanted }
}

/** The rules of the door, as DESIGN and README state them. @returns the codes of a refusal; none: it may pass */
function refusals(route: RouteEntry, caller: Caller): readonly string[] {
  if (route.access === 'public') return []
  if (route.access === 'peer') return ['PEER_REFUSED']
  if (caller.roles === null) return ['LOGIN_REQUIRED', 'TOKEN_INVALID']
  const codes: string[] = []
  if (caller.scopes && !(route.scope && caller.scopes.includes(route.scope))) codes.push('SCOPE_REQUIRED')
  if (caller.scopes && route.interactive) codes.push('INTERACTIVE_REQUIRED')
  // An API token has no more of its owner's roles than its scopes say.
  const role = route.access
  if (!caller.roles.includes(role)) codes.push('ROLE_REQUIRED')
  return codes
}

const doorCodes = ['LOGIN_REQUIRED', 'TOKEN_INVALID', 'SCOPE_REQUIRED', 'INTERACTIVE_REQUIRED', 'ORIGIN_REFUSED']

t.test('every route and websocket lets in exactly whom its row says', async (t) => {
  // What ends the caller's own sign-in comes last.
  const routes = [...daemon.routes].sort((a, b) => Number(isLast(a)) - Number(isLast(b)))
  t.ok(routes.length > 30, `${routes.length} routes`)
  t.ok(routes.some((route) => route.websocket))
  for (const route of routes) {
    for (const [index, caller] of callers.entries()) {
      if (route.access === 'public' && caller.roles !== null) continue
      if (isLast(route) && refusals(route, caller).length === 0) continue
      const { status, code } = await call(route, caller, `127.0.1.${index + 1}`)
      const expected = refusals(route, caller)
      const what = `${route.method} ${route.url} by ${caller.name}: ${status} ${code}`
      if (expected.length > 0) {
        t.ok(status === 401 || status === 403, what)
        if (code !== 'page') t.ok(expected.includes(code), `${what}, expected ${expected.join(' or ')}`)
      } else {
        t.notOk(doorCodes.includes(code), what)
        t.not(status, 500, what)
      }
    }
  }
})

t.test('a cookie alone changes nothing: the request must come from our own pages', async (t) => {
  const { cookie } = people.get('dave') ?? (await signIn('dave'))
  const unsafe = daemon.routes.filter(
    (route) =>
      !['public', 'peer'].includes(route.access) && (route.websocket || !['GET', 'HEAD'].includes(route.method)),
  )
  t.ok(unsafe.length > 10)
  for (const route of unsafe) {
    for (const origin of [undefined, 'https://evil.example', 'null', `${files.url}.evil.example`]) {
      const headers = { cookie, ...(origin === undefined ? {} : { origin }) }
      const { status, code } = await call(route, { name: '', headers, roles: [], scopes: null }, '127.0.2.1')
      const what = `${route.method} ${route.url} from ${origin}: ${code}`
      t.equal(status, 403, what)
      t.ok(code === 'ORIGIN_REFUSED' || code === 'page', what)
    }
  }
})

t.test('what is not there is not there for anybody', async (t) => {
  for (const caller of callers) {
    const nowhere = { method: 'GET', url: '/api/v1/nowhere', websocket: false }
    const { status, code } = await call(nowhere, caller, '127.0.3.1')
    t.same({ status, code }, { status: 404, code: 'NOT_FOUND' }, caller.name)
  }
})

function isLast(route: RouteEntry): boolean {
  return /logout|lock$/.test(route.url) && route.method === 'POST'
}

type Called = Pick<RouteEntry, 'method' | 'url' | 'websocket'>

/** @param from source address, so that one caller's rate limit isn't another's */
async function call(route: Called, caller: Caller, from: string): Promise<{ status: number; code: string }> {
  const url = new URL(fill(route.url), files.url)
  const response = route.websocket ? await upgrade(url, caller, from) : await send(route.method, url, caller, from)
  if (response === 'open') return { status: 101, code: '' }
  const status = response.statusCode ?? 0
  const type = response.headers['content-type'] ?? ''
  if (!type.includes('json') || status < 400) {
    response.destroy()
    return { status, code: type.startsWith('text/html') ? 'page' : '' }
  }
  return { status, code: String((JSON.parse(await text(response)) as { code?: string }).code ?? '') }
}

/** Ids of the right form that are nobody's. */
function fill(url: string): string {
  const nobody = '0'.repeat(26)
  const family = /\/(requests|grants|sessions|recordings|tokens|connect-tokens|principals)\/:/.exec(url)?.[1] ?? ''
  const prefixes: Readonly<Record<string, string>> = {
    requests: 'req_',
    grants: 'grt_',
    sessions: 'ses_',
    recordings: 'ses_',
    tokens: 'api_',
    principals: 'prn_',
  }
  const id = family === 'connect-tokens' ? '0'.repeat(16) : `${prefixes[family] ?? ''}${nobody}`
  const path = url.replace(/:[a-zA-Z]+/g, id)
  return url.includes('/connect/') ? `${path}?resource=nowhere` : path
}

async function send(method: string, url: URL, caller: Caller, from: string): Promise<IncomingMessage> {
  const body = method === 'POST' ? '{}' : undefined
  const headers = { ...caller.headers, ...(body ? { 'content-type': 'application/json' } : {}) }
  const request = httpRequest(url, { method, headers, localAddress: from, agent: false })
  request.end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return response
}

async function upgrade(url: URL, caller: Caller, from: string): Promise<IncomingMessage | 'open'> {
  const socket = new WebSocket(url, { headers: { ...caller.headers }, localAddress: from })
  return await new Promise((resolve, reject) => {
    socket.once('open', () => {
      socket.terminate()
      resolve('open')
    })
    socket.once('unexpected-response', (_request, response) => resolve(response))
    socket.once('error', reject)
  })
}
