/** Who may come in where is decided in one place: no door decides for itself, and every door asks. */
import t from 'tap'
import { routes } from '../../src/contract/routes.ts'
import { readSourceTexts } from './source-texts.ts'

const home = 'src/identity/admission.ts'
const sources = readSourceTexts('src', 'proxy')

/** What a decision of its own would contain. */
const deciding: readonly {
  readonly what: string
  readonly pattern: RegExp
  readonly besides: Readonly<Record<string, string>>
  readonly again: string
}[] = [
  {
    what: 'the codes of its refusals',
    pattern: /'(?:INTERACTIVE_REQUIRED|LOGIN_TOO_OLD|SCOPE_REQUIRED)'/,
    besides: {
      'src/cli/api/api-client.ts': 'the advice of a command line for an older daemon',
      'src/ui/parts/problem-note.tsx': 'where to sign in anew',
      'src/cli/kube/credential.ts': 'a token that may connect and not read goes on with what it has',
    },
    again: "if (!login.interactive) throw new BrokerError('INTERACTIVE_REQUIRED')",
  },
  {
    what: 'refusing an address',
    pattern: /'ADDRESS_REFUSED'/,
    besides: {
      'src/identity/tokens/connect-tokens.ts': 'a token that would reach further than the one that issues it',
    },
    again: "throw new BrokerError('ADDRESS_REFUSED')",
  },
  {
    what: 'whether an address is in a range',
    pattern: /\bincludesAddress\(/,
    besides: {
      'proxy/ports/address-range.ts': 'its definition',
      'proxy/reach/forbidden-addresses.ts': 'addresses of targets',
      'src/daemon/ports.ts': 'which load balancers are trusted',
    },
    again: 'if (!includesAddress(row.cidr, client.address)) throw refused',
  },
  {
    what: 'how old or strong a sign-in is',
    pattern: /(?:login|by|credential)\.(?:interactive|authenticatedAt|acr)\b/,
    besides: { 'src/identity/logins/login-keeper.ts': 'the audit of a new login' },
    again: 'now - login.authenticatedAt > rule.require.loginWithinMs',
  },
  {
    what: 'what a token’s scopes allow',
    pattern: /(?:login|by|credential)\.scopes\b|scopes\??\.includes\(scope\)/,
    besides: {},
    again: "login.via === 'api-token' && login.scopes?.includes(config.scope)",
  },
]

for (const { what, pattern, besides, again } of deciding)
  t.test(`D1: no other file decides by ${what}`, async (t) => {
    const found = sources.filter(({ code }) => pattern.test(code)).map(({ path }) => path)
    t.ok(found.includes(home))
    t.same(
      found.filter((path) => path !== home && !(path in besides)),
      [],
    )
    t.match(again, pattern, 'a second one would be found')
  })

t.test('D1: every door of the table is asked at, where it leads in', async (t) => {
  const table = sources.find(({ path }) => path === home)?.code ?? ''
  const doors = [...table.matchAll(/^ {2}'?([a-z-]+)'?: \{ takes: /gm)].map(([, door = '']) => door)
  t.ok(doors.length >= 11, doors.join(', '))
  const asked: Readonly<Record<string, readonly [string, RegExp]>> = {
    token: ['src/identity/tokens/connect-tokens.ts', /admit\(\{ door: 'token'/],
    api: ['src/http/plugins/authentication.ts', /admit\(\{ door: 'api'/],
    'api-token': ['src/identity/tokens/api-tokens.ts', /admit\(\{ door: 'api-token'/],
    request: ['src/access/rules/decide.ts', /refuseEntry\(\{ door: 'request'/],
    denial: ['src/access/requests/decide-request.ts', /admit\(\{ door: 'denial'/],
    approval: ['src/access/requests/decide-request.ts', /admit\(\{ door: 'approval'/],
    'connect-token': ['src/identity/tokens/connect-tokens.ts', /admit\(\{ door: 'connect-token'/],
    port: ['src/sessions/open-session.ts', /listener: 'port'/],
    websocket: ['src/sessions/open-session.ts', /websocket: 'websocket'/],
    credentials: ['src/kinds/iam-role/role-sessions.ts', /sessions\.check\(this\.#toOpenAsk\(ask\), door\)/],
    console: ['src/kinds/iam-role/role-sessions.ts', /sessions\.check\(this\.#toOpenAsk\(ask\), door\)/],
    cancel: ['src/sessions/sessions.ts', /refuseEntry\(\{ door: 'cancel'/],
    preflight: ['src/sessions/preflights.ts', /admit\(\{ door: 'preflight'/],
  }
  t.same(Object.keys(asked).sort(), [...doors].sort())
  for (const [door, [path, pattern]] of Object.entries(asked))
    t.match(sources.find((source) => source.path === path)?.code, pattern, door)
})

t.test('D1: a grant is checked for use in one place, which asks', async (t) => {
  const users = sources.filter(({ code }) => /\b(?:access|access\(\))\.check\(/.test(code)).map(({ path }) => path)
  const revoker = 'src/kinds/iam-role/revoker.ts' // whether what was handed out still stands: it lets nobody in
  const pushing = 'src/pushed/create-pushing.ts' // right before AWS is asked for what it holds itself
  const shown = 'src/http/routes/page/connect-options.ts' // what to type, for who could: the session asks again
  const tokens = 'src/identity/tokens/connect-tokens.ts'
  t.same(users.sort(), [shown, tokens, revoker, pushing, 'src/sessions/open-session.ts'])
})

t.test('D1: every route that is not public says who may call it, and with which tokens', async (t) => {
  for (const [key, route] of Object.entries<{ access: string; scope?: string; interactive?: boolean }>(routes)) {
    if (route.access === 'public' || route.access === 'peer') continue
    t.ok(
      route.scope !== undefined ||
        route.interactive === true ||
        key.startsWith('GET /logout') ||
        key === 'POST /logout',
      key,
    )
  }
})
