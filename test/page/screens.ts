/** Every screen of the page by its address, and the states that it can be in. */
import { BrokerError } from '../../proxy/session.ts'
import { full, ids, listed, resources, statements, terminalRecording } from './answers.ts'
import type { Scene } from './stage.ts'

export interface Screen {
  readonly name: string
  readonly address: string
  /** Beside what every screen is given. */
  readonly scene?: Scene
  /** A text that is there once it is drawn with everything. */
  readonly shows: string
  /** It can have nothing to show. */
  readonly isList?: true
}

const prompt = '\u001b[1;32mdeploy@web\u001b[0m:~$ '
const terminal = terminalRecording([
  [0, `${prompt}tail -3 app.log\r\n`],
  [900, '\u001b[33mWARN\u001b[0m slow query 1.2 s\r\n'],
  [2000, prompt],
])

export const screens: readonly Screen[] = [
  { name: 'home', address: '/', shows: 'Live', isList: true },
  { name: 'catalog', address: '/catalog', shows: 'ReportsReader', isList: true },
  { name: 'catalog-request', address: `/catalog?ask=${encodeURIComponent(resources.orders)}`, shows: 'Approved by' },
  { name: 'requests', address: '/requests', shows: 'alice@example.com', isList: true },
  { name: 'request', address: `/requests/${ids.request}`, shows: 'OPS-17' },
  { name: 'request-over', address: `/requests/${ids.over}`, shows: 'for this incident only' },
  { name: 'grants', address: '/grants?all=true', shows: 'tampered', isList: true },
  { name: 'grant', address: `/grants/${ids.grant}`, shows: 'sallyport psql orders' },
  { name: 'grant-revoked', address: `/grants/${ids.ended}`, shows: 'incident 42' },
  { name: 'grant-tampered', address: `/grants/${ids.tampered}`, shows: 'was not written by the broker' },
  { name: 'sessions', address: '/sessions', shows: 'alice@example.com', isList: true },
  { name: 'session', address: `/sessions/${ids.session}`, shows: '192.0.2.7' },
  { name: 'recording', address: `/recordings/${ids.session}`, shows: 'permission denied', isList: true },
  {
    name: 'recording-terminal',
    address: `/recordings/${ids.shell}`,
    scene: { 'GET /api/v1/recordings/:sessionId': terminal },
    shows: '0:02',
  },
  { name: 'audit', address: '/audit', shows: 'grant.revoked', isList: true },
  { name: 'audit-open', address: '/audit?open=18195', shows: 'c0ffee00' },
  { name: 'people', address: '/people', shows: 'deploy-bot', isList: true },
  { name: 'tokens', address: '/tokens', shows: 'nightly report', isList: true },
  { name: 'why', address: `/why?who=dan&resource=${encodeURIComponent(resources.orders)}`, shows: 'not admin' },
  { name: 'recordings', address: '/recordings', shows: 'in upper or lower case' },
  { name: 'identity-center', address: '/identity-center', shows: 'ConflictException' },
  { name: 'rules', address: '/rules', shows: 'engineers-read-prod-databases', isList: true },
  { name: 'setup', address: '/setup?open=account%2F111122223333', shows: 'ReadDatabases', isList: true },
]

/** Nothing has happened yet. */
const empty: Scene = {
  ...full,
  'GET /api/v1/requests': listed('requests', []),
  'GET /api/v1/grants': listed('grants', []),
  'GET /api/v1/sessions': listed('sessions', []),
  'GET /api/v1/resources': listed('resources', []),
  'GET /api/v1/audit/events': listed('events', []),
  'GET /api/v1/principals': listed('principals', []),
  'GET /api/v1/rules': { digest: '0'.repeat(64), loadedAt: null, rules: [] },
  'GET /api/v1/inventory/scopes': listed('scopes', []),
  'GET /api/v1/validations/subjects': listed('subjects', []),
  'GET /api/v1/recordings/:sessionId': statements.slice(0, 1),
  'GET /api/v1/tokens': listed('tokens', []),
  'GET /api/v1/connect-tokens': listed('connectTokens', []),
  'GET /api/v1/service-accounts': listed('serviceAccounts', []),
}

const others = (given: 'nothing yet' | BrokerError): Scene => ({
  ...(Object.fromEntries(Object.keys(full).map((key) => [key, given])) as Scene),
  'GET /api/v1/me': full['GET /api/v1/me'],
})

export const states = {
  full: (screen: Screen): Scene => ({ ...full, ...screen.scene }),
  empty: () => empty,
  loading: () => others('nothing yet'),
  error: () => others(new BrokerError('AUDIT_UNAVAILABLE')),
} as const satisfies Record<string, (screen: Screen) => Scene>
