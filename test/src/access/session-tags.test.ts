/** Levels with session tags: who gets which values, and that nothing that changes later changes a grant. */
import t from 'tap'
import { requestDigest } from '../../../src/access/requests/request.ts'
import type { Kinds, TaggedLevels } from '../../../src/catalog/kind.ts'
import { config, fakeKind, hour, levels, openAccess, ordersId, principal } from './access-setup.ts'

interface Level {
  readonly user: string
  readonly tags: Readonly<Record<string, string>>
}

const tagged: TaggedLevels<Level> = {
  templatesOf: ({ tags }) => (Object.keys(tags).length === 0 ? null : tags),
  fill: (level, tags) => ({ ...level, tags }),
  packedWith: () => ({ policy: null, policyArns: [] }),
}
const kinds = [
  {
    ...fakeKind,
    level: {
      ...fakeKind.level,
      read: (raw: unknown) => ({ ok: true, value: { tags: {}, ...(raw as { user: string }) } }),
    },
    tagged,
  },
] as unknown as Kinds

const rule = { who: { groups: ['engineering'] }, what: { ids: [ordersId] }, max_duration: '8h' }
const rulesWith = (tags: Record<string, string>) => ({
  levels: [levels({ kinds: ['rds-postgres'] }, { own: { user: 'a', tags }, reviewed: { user: 'b', tags } })],
  access: [
    { ...rule, name: 'own', levels: ['own'] },
    { ...rule, name: 'reviewed', levels: ['reviewed'], approval: { stages: [{ any_of: ['group:owners'] }] } },
  ],
})
const rules = rulesWith({ ticket: '{ticket}', team: 'team/{claim:team}', env: 'prod' })
const own = { resource: 'orders', level: 'own', durationMs: hour, ticket: 'OPS-1' }
const reviewed = { ...own, level: 'reviewed' }

async function open(t: Parameters<typeof openAccess>[0]) {
  const people = [principal('alice', { groups: ['engineering'] }), principal('olga', { groups: ['owners'] })]
  const setup = await openAccess(t, { rules, people, kinds })
  setup.tagClaims.set('alice', { team: 'payments' })
  return {
    ...setup,
    tagsOf: async () => {
      const answer = await setup.access.check({ principalId: 'alice', resource: 'orders' })
      return answer.allowed ? (answer.held.level as Level).tags : answer.reason
    },
    moves: async (team: string) => {
      setup.tagClaims.set('alice', { team })
      await setup.change('alice', {})
    },
  }
}

const values = { ticket: 'OPS-1', team: 'team/payments', env: 'prod' }

t.test('values are those of the request and of the person, in request, grant and session', async (t) => {
  const { access, audit, login, tagsOf } = await open(t)
  const { request, grant } = await access.request(login('alice'), own)
  t.same([request.sessionTags, grant?.sessionTags, await tagsOf()], [values, values, values])
  const [event] = audit.of('grant.created')
  t.match(event, { fields: { session_tags: /^[0-9a-f]{64}$/ } })
  t.notMatch(JSON.stringify(event), /payments/, 'the chain holds a digest')
})

t.test('without a ticket, or a claim, the request is refused and says what is missing', async (t) => {
  const { access, login, tagClaims } = await open(t)
  const { ticket: _, ...without } = own
  await t.rejects(access.request(login('alice'), without), {
    code: 'SESSION_TAG_UNUSABLE',
    message: /puts the ticket of the request into the session tag ticket/,
    hint: 'add --ticket',
  })
  await t.rejects(access.request(login('alice'), { ...own, ticket: 'OPS#1' }), { message: /cannot hold "OPS#1"/ })
  tagClaims.delete('alice')
  await t.rejects(access.request(login('alice'), own), {
    code: 'SESSION_TAG_UNUSABLE',
    message: /brought no team/,
    hint: /sallyport login --fresh/,
  })
  t.match(await access.why(login('alice'), { resource: 'orders', level: 'own' }), {
    levels: [{ allowed: false, reason: /no team/ }],
  })
})

t.test('a live grant keeps its values, also when it is extended', async (t) => {
  const { access, login, moves, tagsOf } = await open(t)
  const { grant } = await access.request(login('alice'), own)
  await moves('billing')
  t.same(await tagsOf(), values)
  const more = await access.extend(login('alice'), grant?.id ?? '', { durationMs: hour, ticket: 'OPS-2' })
  t.same([more.request.sessionTags, more.grant?.sessionTags, await tagsOf()], [values, values, values])
  await access.giveBack(login('alice'), grant?.id ?? '')
  t.match((await access.request(login('alice'), own)).grant, { sessionTags: { team: 'team/billing' } })
})

t.test('a pending request lapses with the values that approvers saw', async (t) => {
  const { access, login, moves } = await open(t)
  const { request } = await access.request(login('alice'), reviewed)
  t.same(request.sessionTags, values)
  await moves('billing')
  t.match(await access.requestById(login('alice'), request.id), {
    status: 'refused',
    statusReason: /session tags have changed/,
  })
  const again = (await access.request(login('alice'), reviewed)).request
  const { grant } = await access.decide(login('olga'), again.id, { verdict: 'approve', digest: again.digest })
  t.match(grant, { sessionTags: { team: 'team/billing' } })
})

t.test('other tags of the level: grants end, and what was approved is void', async (t) => {
  const { access, audit, login, tagsOf } = await open(t)
  await access.request(login('alice'), own)
  const { request } = await access.request(login('alice'), reviewed)
  await access.reload({ ...config(rulesWith({ team: '{claim:team}' })) })
  t.match(await access.requestById(login('alice'), request.id), {
    status: 'pending',
    sessionTags: { team: 'payments' },
  })
  t.match(audit.of('grant.ended'), [{ fields: { session_tags: /./ } }])
  t.type(await tagsOf(), 'string')
  await t.rejects(access.decide(login('olga'), request.id, { verdict: 'approve', digest: request.digest }), {
    code: 'STALE',
  })
})

t.test('a claim that is not kept is a problem of the configuration', async (t) => {
  const { access } = await open(t)
  t.match(await access.reload(config(rulesWith({ cost: '{claim:cost}' }))), {
    ok: false,
    problems: [
      { path: 'levels[0].own.session_tags', message: /oidc.tag_claims does not list it/, fix: /add cost/ },
      {},
    ],
  })
})

t.test('the digest that an approver confirms covers them', (t) => {
  const asked = {
    id: 'req_1',
    beneficiaryId: 'alice',
    resourceId: ordersId,
    targetId: null,
    level: 'own',
    loginName: null,
  }
  const terms = { durationMs: hour, reason: null, ticket: null, ruleDigest: 'd', extendsGrantId: null, round: 0 }
  const digests = [null, {}, { a: 'b' }, { a: 'c' }].map((sessionTags) =>
    requestDigest({ ...asked, ...terms, sessionTags }),
  )
  t.equal(new Set(digests).size, 4)
  t.end()
})
