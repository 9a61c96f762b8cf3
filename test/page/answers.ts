/** What a company of two weeks has: the answers to every call of the page, the same at each start. */
import type { AuditRecord } from '../../src/contract/audit.ts'
import type { GrantView } from '../../src/contract/grants.ts'
import type { Named } from '../../src/contract/references.ts'
import type { RequestView } from '../../src/contract/requests.ts'
import type { LevelOption, ResourceView } from '../../src/contract/resources.ts'
import type { Answer } from '../../src/contract/routes.ts'
import type { SessionView } from '../../src/contract/sessions.ts'
import type { Scene } from './stage.ts'

/** By every clock of it: a Tuesday, 10:30 in UTC, and the half second that the page adds to whole ones. */
export const now = Date.UTC(2026, 10, 24, 10, 30, 0, 500)
const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

const id = (prefix: string, n: number) => `${prefix}_${String(n).padStart(26, '0')}`
export const ids = {
  request: id('req', 1),
  over: id('req', 3),
  grant: id('grt', 1),
  ended: id('grt', 2),
  tampered: id('grt', 3),
  session: id('ses', 1),
  shell: id('ses', 2),
} as const

const account = '111122223333'
const region = 'eu-west-1'
export const resources = {
  orders: `rds-postgres/${account}/${region}/orders`,
  shop: `rds-mysql/${account}/${region}/shop`,
  reports: `iam-role/${account}/ReportsReader`,
  web: `ec2-instance/${account}/${region}/i-0a1b2c3d4e5f60718`,
  cluster: `eks-cluster/${account}/${region}/web`,
  operators: 'permission-set/ssoins-1234567890abcdef/ps-1234567890abcdef/444455556666',
} as const

const person = (name: string): Named => ({ id: `prn_${name.padEnd(26, '0')}`, name: `${name}@example.com` })
const people = {
  alice: person('alice'),
  bob: person('bob'),
  dan: {
    id: `prn_${'dan'.padEnd(26, '0')}`,
    name: 'bob@example.com',
    unverified: { issuer: 'https://login.example.com', subject: 'dan' },
  },
} as const

/** As every list is given: under `items`, and under its own name. */
export function listed<const N extends string, T>(name: N, items: readonly T[], total = items.length) {
  return { items, next: null, total, capped: false, [name]: items } as never
}

const kindOf = (resourceId: string) => resourceId.slice(0, resourceId.indexOf('/'))

/** @param n of its id */
export function requestNumbered(n: number, more: Partial<RequestView> = {}): RequestView {
  const resourceId = more.resourceId ?? resources.orders
  return {
    id: id('req', n),
    requester: people.alice,
    beneficiary: people.alice,
    resourceId,
    kind: kindOf(resourceId),
    targetId: 'db-ORDERSRESOURCEID000000000',
    level: 'readonly',
    loginName: null,
    sessionTags: null,
    durationMs: hour,
    reason: 'why is order 17 late',
    ticket: 'OPS-17',
    rule: 'engineers-read-prod-databases',
    digest: 'dce285d7'.repeat(8),
    limits: ['functions that the level may call can change data'],
    status: 'pending',
    statusReason: null,
    extendsGrantId: null,
    createdAt: now - 2 * minute,
    expiresAt: now + 23 * hour,
    endedAt: null,
    stages: [
      { anyOf: ['group:database-owners'], count: 1, approvals: 0 },
      { anyOf: ['manager'], count: 1, approvals: 0 },
    ],
    stage: 0,
    decisions: [],
    canDecide: true,
    whyNot: null,
    grantId: null,
    ...more,
  }
}

const requests: readonly RequestView[] = [
  requestNumbered(1),
  requestNumbered(2, {
    beneficiary: people.dan,
    requester: people.dan,
    resourceId: resources.web,
    level: 'operator',
    durationMs: 3 * hour,
    ticket: null,
    createdAt: now - 3 * hour,
  }),
  requestNumbered(3, {
    status: 'granted',
    grantId: ids.grant,
    canDecide: false,
    stage: null,
    createdAt: now - day,
    endedAt: now - day + minute,
    stages: [{ anyOf: ['group:database-owners'], count: 1, approvals: 1 }],
    decisions: [
      {
        by: people.bob,
        stage: 0,
        verdict: 'approve',
        comment: 'for this incident only',
        at: now - day + minute,
        counts: true,
      },
    ],
  }),
  requestNumbered(4, {
    resourceId: resources.shop,
    level: 'admin',
    status: 'denied',
    statusReason: 'denied by bob@example.com: readonly is enough',
    canDecide: false,
    stage: null,
    createdAt: now - 5 * day,
    endedAt: now - 5 * day + hour,
  }),
]

function grant(n: number, more: Partial<GrantView> = {}): GrantView {
  const resourceId = more.resourceId ?? resources.orders
  return {
    id: id('grt', n),
    requestId: ids.over,
    principal: people.alice,
    resourceId,
    kind: kindOf(resourceId),
    targetId: 'db-ORDERSRESOURCEID000000000',
    level: 'readonly',
    loginName: null,
    sessionTags: null,
    rule: 'engineers-read-prod-databases',
    startsAt: now - 19 * minute,
    endsAt: now + 41 * minute,
    state: 'active',
    endedAt: null,
    endReason: null,
    endText: null,
    outlivesUntil: null,
    push: null,
    ...more,
  }
}

const grants: readonly GrantView[] = [
  grant(1),
  grant(4, { resourceId: resources.reports, endsAt: now + 4 * minute, outlivesUntil: now + hour }),
  grant(5, {
    resourceId: resources.operators,
    level: 'member',
    push: { state: 'granted', reason: null, portal: 'https://d-1234567890.awsapps.com/start', region },
  }),
  grant(2, {
    state: 'revoked',
    endedAt: now - 3 * minute,
    endReason: 'grant-revoked',
    endText: 'Access was revoked by bob@example.com: incident 42',
  }),
  grant(3, { principal: people.dan, state: 'tampered', endedAt: null }),
]

function session(n: number, more: Partial<SessionView> = {}): SessionView {
  const resourceId = more.resourceId ?? resources.orders
  return {
    id: id('ses', n),
    principalId: people.alice.id,
    principal: people.alice.name,
    who: people.alice,
    grantId: ids.grant,
    requestId: ids.over,
    resourceId,
    kind: kindOf(resourceId),
    level: 'readonly',
    via: 'listener',
    address: '192.0.2.7',
    tool: 'psql',
    detail: { user: 'sallyport_ro', database: 'orders' },
    openedAt: now - 12 * minute,
    startedAt: now - 12 * minute,
    endsAt: now + 41 * minute,
    endedAt: null,
    endReason: null,
    bytesUp: 4120,
    bytesDown: 1_830_000,
    recording: { digest: null, entries: 17 },
    ...more,
  }
}

const sessions: readonly SessionView[] = [
  session(1),
  session(3, { principal: people.dan.name, principalId: people.dan.id, who: people.dan }),
  session(2, {
    resourceId: resources.web,
    grantId: ids.ended,
    tool: null,
    via: 'websocket',
    detail: { user: 'deploy' },
    openedAt: now - day,
    endedAt: now - day + 57 * minute,
    endReason: 'grant-revoked',
    recording: { digest: 'ab'.repeat(32), entries: 812 },
  }),
]

function resource(resourceId: string, more: Partial<ResourceView> = {}): ResourceView {
  const parts = resourceId.split('/')
  return {
    id: resourceId,
    kind: kindOf(resourceId),
    account,
    region,
    name: parts.at(-1) ?? '',
    tags: { env: 'prod', team: 'shop' },
    path: 'root / shop',
    protocol: null,
    shown: {},
    database: null,
    levels: ['readonly', 'admin'],
    grants: [],
    risk: [],
    riskBeneath: null,
    ...more,
  }
}

export const catalog: readonly ResourceView[] = [
  resource(resources.orders, {
    grants: [{ id: ids.grant, level: 'readonly', endsAt: now + 41 * minute, sessionMs: null }],
  }),
  resource(resources.shop),
  resource(resources.web, { tags: { Name: 'web', env: 'prod' }, levels: ['readonly', 'watched', 'ports', 'copy'] }),
  resource(resources.reports, { tags: { team: 'shop' }, region: null, levels: ['readonly', 'full'] }),
  resource(resources.cluster, { levels: ['readonly', 'edit', 'operate'] }),
  resource(resources.operators, { tags: { Name: 'Operators' }, region: null, levels: ['member'] }),
]

const option = (level: string, more: Partial<LevelOption> = {}): LevelOption => ({
  level,
  mayAsk: true,
  whyNot: null,
  rule: 'engineers-read-prod-databases',
  maxDurationMs: 8 * hour,
  needs: { reason: true, ticket: '^(?:OPS-[0-9]+)$', loginWithinMs: null, acr: [] },
  stages: [
    { anyOf: ['group:database-owners'], count: 1 },
    { anyOf: ['manager'], count: 1 },
  ],
  means: [
    { label: 'database user', value: 'sallyport_ro' },
    { label: 'databases', value: '*' },
    { label: 'rows', value: 'at most 100,000 of one statement' },
  ],
  limits: ['functions that the level may call can change data'],
  ...more,
})

const issuer = 'https://login.example.com'
const directory = (one: Named, groups: readonly string[], more: object = {}) => ({
  id: one.id,
  kind: 'person' as const,
  name: one.name,
  email: one.unverified ? null : one.name,
  groups: [...groups],
  ownerId: null,
  active: true,
  lockedAt: null,
  issuer,
  subject: one.unverified?.subject ?? one.name.split('@')[0] ?? '',
  manager: null,
  roles: ['user' as const],
  seenAt: now - 5 * minute,
  unprobedLogins: 0,
  ...more,
})

const event = (
  seq: number,
  type: AuditRecord['type'],
  fields: AuditRecord['fields'],
  name = 'bob@example.com',
): AuditRecord => ({
  ...{ seq, at: now - (18_195 - seq) * minute, type, actor: people.bob.id, fields },
  text: { name, address: '192.0.2.7' },
  hash: 'c0ffee00'.repeat(8),
})

const events: readonly AuditRecord[] = [
  event(18_195, 'grant.revoked', { grant: ids.ended, resource: resources.orders, reason: 'grant-revoked' }),
  event(18_194, 'session.ended', { session: ids.shell, grant: ids.ended, reason: 'grant-revoked' }, people.alice.name),
  event(
    18_193,
    'session.started',
    { session: ids.session, grant: ids.grant, resource: resources.orders },
    people.alice.name,
  ),
  event(
    18_192,
    'request.created',
    { request: ids.request, resource: resources.orders, level: 'readonly' },
    people.alice.name,
  ),
  event(18_191, 'session.denied', { resource: resources.shop, code: 'GRANT_REQUIRED' }, 'bob@example.com'),
]

const scope = (name: string, more: object = {}) => ({
  scope: name,
  organization: 'o-exampleorgid',
  state: 'good' as const,
  goodAt: now - 7 * minute,
  triedAt: now - 7 * minute,
  requestedAt: null,
  resources: 120,
  missing: 0,
  error: null,
  fix: null,
  progress: null,
  units: null,
  ...more,
})

const check = (name: string, status: 'ok' | 'warning' | 'failed' | 'unknown', more: object = {}) => ({
  subject: `account/${account}`,
  check: name,
  status,
  severity: 'high' as const,
  about: 'trust' as const,
  simulated: null,
  called: null,
  since: now - day,
  detail: 'the role was assumed with the ExternalId',
  why: 'without it another company’s broker could be led here',
  fix: null,
  ranAt: now - 2 * minute,
  ...more,
})

/** Of a database: statements, values, an error. */
export const statements: readonly unknown[] = [
  {
    session: {
      ...{ id: ids.session, principalId: people.alice.id, principal: people.alice.name, grantId: ids.grant },
      ...{ resourceId: resources.orders, level: 'readonly', openedAt: now - 12 * minute, endedAt: now - minute },
      ...{ endReason: 'client-closed', entries: 3, digest: 'ab'.repeat(32) },
    },
    verified: { ok: true, entries: 3 },
  },
  {
    ...{ at: now - 11 * minute, type: 'execute', request: 1, sql: 'select id, status from orders where id = $1' },
    ...{ values: [17], ms: 1.2, rows: 1, tags: ['SELECT 1'] },
  },
  {
    ...{ at: now - 10 * minute, type: 'query', request: 2, sql: 'delete from orders', ms: 0.4 },
    error: { code: '42501', message: 'permission denied for table orders' },
  },
  { at: now - 9 * minute, type: 'query', request: 3, sql: 'select pg_sleep(5)', begun: true },
]

/** @param chunks texts and the times at which they are shown */
export function terminalRecording(chunks: Iterable<readonly [ms: number, text: string]>): unknown[] {
  const began = now - hour
  const [header] = statements as [{ session: object }]
  const session = { ...header.session, id: ids.shell, resourceId: resources.web, openedAt: began, endedAt: now }
  return [
    { session, verified: { ok: true, entries: 1 } },
    { at: began, type: 'terminal', cols: 100, rows: 30 },
    ...Array.from(chunks, ([ms, text]) => ({ at: began + ms, type: 'output', text })),
  ]
}

export const full: Scene = {
  'GET /api/v1/me': {
    principal: {
      id: people.bob.id,
      kind: 'person',
      name: people.bob.name,
      email: people.bob.name,
      groups: ['engineering'],
      ownerId: null,
    },
    issuer: 'login.example.com',
    roles: ['user', 'auditor', 'admin'],
    via: 'web',
    can: { decide: true, audit: true, admin: true },
    counts: { decide: 2, mine: 0 },
    now,
    version: '0.1.0',
    expiresAt: now + 8 * hour,
  },
  'GET /api/v1/requests': ({ query: { box } }) =>
    listed('requests', box === 'decide' ? requests.filter(({ status }) => status === 'pending') : requests),
  'GET /api/v1/requests/:id': ({ params }) => ({
    request: requests.find((one) => one.id === params.id) ?? requestNumbered(1),
    context: {
      tags: { env: 'prod', team: 'shop' },
      means: option('readonly').means,
      ...{ grants30d: 4, denied30d: 0, openSessions: 1 },
    },
  }),
  'GET /api/v1/requests/:id/use': {
    smaller: null,
    grants: [7, 8].map((n) => ({
      ...{
        grantId: id('grt', n),
        startsAt: now - n * day,
        endsAt: now - n * day + hour,
        sessions: 2,
        usedMs: 11 * minute,
      },
      ...{ requests: 42, reads: 42, writes: 0, rows: 1312, isWhole: true },
    })),
  },
  'GET /api/v1/policy/why': {
    principal: { ...people.dan, groups: ['engineering'] },
    resource: resources.orders,
    levels: [
      {
        level: 'admin',
        allowed: false,
        rule: null,
        reason: 'no rule gives engineering the level admin',
        rules: [
          {
            name: 'engineers-read-prod-databases',
            matches: false,
            conditions: [
              { condition: 'who', ok: true, text: 'is in the group engineering' },
              { condition: 'what', ok: true, text: 'rds-postgres with env=prod' },
              { condition: 'level', ok: false, text: 'gives readonly, not admin' },
            ],
          },
        ],
      },
    ],
  },
  'GET /api/v1/tokens': listed('tokens', [
    {
      ...{
        id: id('api', 1),
        principalId: people.bob.id,
        createdBy: people.bob.id,
        name: 'nightly report',
        scopes: ['read'],
      },
      ...{ cidr: '192.0.2.0/24', createdAt: now - 9 * day, expiresAt: now + 30 * day, lastUsedAt: now - hour },
      lastUsedFrom: '192.0.2.7',
    },
  ]),
  'GET /api/v1/connect-tokens': listed('connectTokens', [
    {
      ...{ id: '0123456789abcdef', principalId: people.bob.id, grantId: ids.grant, resourceId: resources.orders },
      ...{ level: 'readonly', cidr: null, createdAt: now - 5 * minute, expiresAt: now + 41 * minute },
      ...{ lastUsedAt: null, lastUsedFrom: null },
    },
  ]),
  'GET /api/v1/service-accounts': listed('serviceAccounts', [
    {
      ...{ id: id('prn', 9), kind: 'service', name: 'deploy-bot', email: null, groups: ['ci'], ownerId: people.bob.id },
      ...{ active: true, lockedAt: null },
    },
  ]),
  'GET /api/v1/grants': ({ query: { all, who } }) =>
    listed('grants', all ? grants : grants.filter(({ state }) => state === 'active').slice(0, who ? 9 : 3)),
  'GET /api/v1/grants/:id': ({ params }) => ({
    grant: { ...(grants.find((one) => one.id === params.id) ?? grant(1)), principal: people.bob },
  }),
  'GET /api/v1/sessions': listed('sessions', sessions),
  'GET /api/v1/sessions/:id': ({ params }) => ({ session: sessions.find((one) => one.id === params.id) ?? session(1) }),
  'GET /api/v1/resources': ({ query: { held } }) =>
    listed('resources', held ? catalog.filter((one) => one.grants.length > 0) : catalog),
  'GET /api/v1/resources/options': ({ query }) => ({
    resource: catalog.find((one) => one.id === query.resource) ?? resource(resources.orders),
    levels: [
      option('readonly'),
      option('admin', {
        mayAsk: false,
        whyNot: 'no rule gives you the level admin',
        stages: [],
        means: [],
        limits: [],
      }),
    ],
  }),
  'GET /api/v1/connect/options': {
    ...{ grantId: ids.grant, resourceId: resources.orders, name: 'orders', protocol: 'postgres' },
    ...{ server: 'https://access.example.com', host: 'access.example.com', port: 5432, database: 'orders' },
    ca: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
    login: 'sallyport login --server https://access.example.com',
    commands: [
      { title: 'psql', command: 'sallyport psql orders' },
      { title: 'any client, by a port of this machine', command: 'sallyport connect orders --port 6432' },
    ],
  },
  'GET /api/v1/audit/events': listed('events', events, 18_195),
  'GET /api/v1/audit/proof': {
    ...{ checkedAt: now - minute, ok: true, summary: 'good up to event 18190', head: 18_195, signedSeq: 18_195 },
    ...{ anchoredSeq: 18_190, anchoredAt: now - 3 * minute, problems: 0 },
  },
  'GET /api/v1/principals': listed('principals', [
    directory(people.alice, ['engineering']),
    directory(people.bob, ['engineering', 'database-owners']),
    directory(people.dan, ['engineering'], { seenAt: now - 2 * day, unprobedLogins: 1 }),
    directory(person('mallory'), [], { lockedAt: now - hour }),
    directory({ id: id('prn', 9), name: 'deploy-bot' }, ['ci'], {
      kind: 'service',
      email: null,
      ownerId: people.bob.id,
    }),
  ]),
  'GET /api/v1/rules': {
    digest: '8d95b6aa'.repeat(8),
    loadedAt: now - 3 * hour,
    rules: [
      {
        name: 'engineers-read-prod-databases',
        who: { groups: ['engineering'], emails: [], principals: [] },
        what: { kinds: ['rds-postgres'], tags: { env: 'prod' } },
        selects: 'rds-postgres with env=prod',
        levels: ['readonly'],
        maxDurationMs: 8 * hour,
        require: { reason: true, ticket: 'OPS-[0-9]+', loginWithinMs: hour, acr: [] },
        stages: [{ anyOf: ['group:database-owners'], count: 1 }],
        digest: 'ab'.repeat(32),
      },
    ],
  },
  'GET /api/v1/inventory/scopes': listed('scopes', [
    scope('organization'),
    scope('iam-role', { resources: 4120, missing: 2 }),
    scope('rds', {
      state: 'failed',
      error: 'AWS refused rds:DescribeDBInstances in 444455556666',
      fix: 'add the statement ReadDatabases of `sallyport aws policies`',
    }),
  ]),
  'GET /api/v1/validations/subjects': listed('subjects', [
    { subject: `account/${account}`, ok: 4, warnings: 1, failed: 1, unknown: 0, ranAt: now - 2 * minute },
    { subject: 'account/444455556666', ok: 6, warnings: 0, failed: 0, unknown: 0, ranAt: now - 2 * minute },
  ] as const),
  'GET /api/v1/validations': listed('validations', [
    check('spoke role with the ExternalId', 'ok'),
    check('role Deployer takes tags', 'failed', {
      detail: 'role Deployer takes no tags',
      why: 'CloudTrail would not name the person',
      fix: 'allow sts:TagSession in its trust policy',
    }),
    check('boundary for revocations', 'warning', { severity: 'low' }),
  ]),
  'GET /api/v1/recordings/:sessionId': statements,
  'POST /api/v1/recordings/search': [
    {
      ...{ sessionId: ids.session, principalId: people.alice.id, principal: people.alice.name },
      ...{ resourceId: resources.orders, level: 'readonly', at: now - hour, type: 'execute', request: null },
      ...{ isRunning: false, sql: 'select * from orders where id = $1', found: [{ member: 'values[0]', text: '17' }] },
    },
    { next: null, recordings: 12, bytes: 48_213, unread: [], unreadCount: 0 },
  ],
  'GET /api/v1/aws/installation': {
    ...{
      issuer: 'https://login.example.com',
      clientId: 'sallyport',
      externalId: '9f8c7b6a-0000-4000-8000-000000000001',
    },
    ...{ hubRoleArn: `arn:aws:iam::${account}:role/SallyportHub`, connectRole: 'SallyportConnect' },
    ...{ revocationPolicy: 'SallyportRevocations', accounts: {}, features: [], values: {} },
  },
  'GET /api/v1/whoami': {
    principal: {
      ...{ ...people.bob, kind: 'person', email: people.bob.name, groups: ['engineering'], ownerId: null },
      ...{ subject: 'u-bob', manager: null },
    },
    ...{ roles: ['user', 'auditor', 'admin'], login: id('lgn', 1), via: 'web', interactive: true },
    ...{ authenticatedAt: now - minute, acr: null, scopes: null, expiresAt: now + 8 * hour },
  },
  'GET /api/v1/pushes': listed('pushes', [
    push(1, 'granted', { ownership: 'created', grants: [ids.grant] }),
    push(2, 'outside', { ownership: 'pre-existing', userName: 'dan@example.com' }),
    push(3, 'removing', {
      ownership: 'created',
      overdueSince: now - hour,
      reason: 'ConflictException: another change',
    }),
  ]),
  'GET /api/v1/pushes/held-back': {
    ...(listed('pushes', [push(4, 'removing', { ownership: 'created' })]) as object),
    ...{ digest: '0'.repeat(32), most: 50 },
  } as never,
  'GET /api/v1/pushes/unrecorded': listed('unrecorded', [
    {
      ...{ resource: `permission-set/444455556666/Reader`, kind: 'permission-set', userId: userId(5) },
      ...{ userName: 'erin@example.com', principals: [], grants: [] },
    },
  ]),
  'GET /api/v1/identity-center/links': listed('links', [
    { principalId: people.alice.id, userId: userId(1), userName: 'alice', foundBy: 'email', linkedAt: now - day },
  ]),
}

type Push = Answer<'GET /api/v1/pushes'>['items'][number]

function push(n: number, state: Push['state'], more: Partial<Push>): Push {
  return {
    ...{ id: `psh_${String(n).padStart(16, '0')}`, kind: 'permission-set', account: '444455556666' },
    of: 'arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-1234567890abcdef',
    ...{ userId: userId(n), userName: 'alice', principals: [people.alice.id], state, ownership: null },
    ...{ reason: null, isLasting: false, overdueSince: null, grants: [], ...more },
  }
}

function userId(n: number): string {
  return `b1f00d00-0000-4000-8000-${String(n).padStart(12, '0')}`
}
