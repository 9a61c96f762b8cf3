/** The organization as the broker reads it, against an AWS that refuses what AWS refuses and changes while it is read. */
import t from 'tap'
import { eachOf } from '../../../../src/aws/bounded.ts'
import { type ReadProgress, readOrganization } from '../../../../src/aws/organization/read-organization.ts'
import { Paced } from '../../../../src/aws/paced.ts'
import { accounts } from '../../../sandbox/default-world.ts'
import { closedShop, createLargeOrganization, root, units } from '../../../sandbox/organization-world.ts'
import { signal, unhurried } from '../hub-setup.ts'
import { startOrganization } from './organization-setup.ts'

t.test('accounts, units, states, parents and tags are read', async (t) => {
  const { calls, outcomes } = await startOrganization(t)
  const picture = await readOrganization(calls, { signal })
  t.match(picture, { id: 'o-exampleorgid', managementAccount: accounts.hub, root })
  t.same(
    picture.accounts.map(({ id, name, state, parent }) => [id, name, state, parent]),
    [
      [closedShop, "shop, O'Neil & Söhne", 'SUSPENDED', units.sandbox],
      [accounts.hub, 'management', 'ACTIVE', root],
      [accounts.data, 'data', 'ACTIVE', units.payments],
      [accounts.web, 'web', 'ACTIVE', units.production],
    ],
  )
  t.same(picture.accounts[2], {
    id: accounts.data,
    arn: `arn:aws:organizations::${accounts.hub}:account/o-exampleorgid/${accounts.data}`,
    name: 'data',
    email: `aws+${accounts.data}@example.com`,
    state: 'ACTIVE',
    joinedAt: Date.parse('2024-03-01T09:30:00Z'),
    parent: units.payments,
    tags: { team: 'payments', 'cost center': '42' },
  })
  t.same(
    picture.units.map(({ id, name, parent, tags }) => [id, name, parent, tags]),
    [
      [units.production, 'Production', root, { 'sallyport:managed': 'true' }],
      [units.payments, 'Payments & "Cards"', units.production, {}],
      [units.sandbox, 'Sandbox', root, {}],
    ],
  )
  t.match(await outcomes(), { 'ListAccounts ok': 1, 'ListAccountsForParent ok': 4, 'ListTagsForResource ok': 7 })
})

t.test('where AWS gives paths, nothing is asked unit by unit', async (t) => {
  const listed = await startOrganization(t)
  const { calls, operations } = await startOrganization(t, (organization) => {
    organization.hasPaths = true
  })
  t.same(await readOrganization(calls, { signal }), await readOrganization(listed.calls, { signal }))
  t.notOk(operations().includes('ListAccountsForParent'))
  t.ok(listed.operations().includes('ListAccountsForParent'))
})

t.test('N-1: a page without items has a token, and the list goes on', async (t) => {
  const plain = await startOrganization(t, (organization) =>
    Object.assign(organization, createLargeOrganization({ units: 9, accounts: 50 })),
  )
  const { calls } = await startOrganization(t, (organization) =>
    Object.assign(organization, createLargeOrganization({ units: 9, accounts: 50 }), {
      pageSize: 3,
      hasEmptyPages: true,
    }),
  )
  const picture = await readOrganization(calls, { signal })
  t.equal(picture.accounts.length, 50)
  t.equal(picture.units.length, 9)
  t.same(picture, await readOrganization(plain.calls, { signal }))
})

t.test('N-2: a refusal amid the pages is an error, never half an organization', async (t) => {
  const { aws, calls } = await startOrganization(t, (organization) => {
    organization.pageSize = 1
  })
  aws.faults.failOnce('ListAccounts', 2, 'AccessDeniedException')
  await t.rejects(readOrganization(calls, { signal }), {
    code: 'AWS_DENIED',
    message: /organizations:ListAccounts is not allowed/,
    hint: /management account or a delegated administrator/,
  })
})

t.test('N-4: throttles in the middle are waited for', async (t) => {
  const { aws, calls, outcomes } = await startOrganization(t, (organization) => {
    organization.pageSize = 2
  })
  aws.faults.failOnce('ListAccounts', 2, 'TooManyRequestsException')
  aws.faults.failOnce('ListTagsForResource', 3, 'TooManyRequestsException')
  t.equal((await readOrganization(calls, { signal })).accounts.length, 4)
  t.match(await outcomes(), { 'ListAccounts ok': 2, 'ListTagsForResource ok': 7 })
})

t.test('N-4: many callers at once keep one pace, and a throttle is waited for by all', async (t) => {
  const { aws, calls, organization } = await startOrganization(
    t,
    (organization) => Object.assign(organization, createLargeOrganization({ units: 10, accounts: 300 })),
    { paced: new Paced({ ...unhurried, atOnce: 1 }) },
  )
  for (const nth of [20, 150]) aws.faults.failOnce('ListParents', nth, 'TooManyRequestsException')
  const found = new Map<string, string | null>()
  await eachOf(organization.accounts, 20, async ({ id }) => {
    found.set(id, await calls.parentOf(id, signal))
  })
  t.same(found, new Map(organization.accounts.map(({ id, parent }) => [id, parent])))
  const asked = aws.calls.filter(({ action }) => action === 'ListParents')
  t.equal(asked.length, 302)
  for (const [index, { outcome, parameters }] of asked.entries())
    if (outcome !== 'ok') t.same(asked[index + 1]?.parameters, parameters, 'the next call is the same once more')
})

t.test('the hub’s credentials that expire in the middle are renewed once', async (t) => {
  const { aws, calls, clock } = await startOrganization(t)
  const held = aws.faults.hold('ListAccountsForParent')
  const reading = readOrganization(calls, { signal })
  await held.waits
  clock.advance(3_700_000)
  held.letGo()
  t.equal((await reading).accounts.length, 4)
  t.ok(aws.calls.some(({ outcome }) => outcome === 'ExpiredToken'))
  t.equal(aws.calls.filter(({ action, outcome }) => action === 'AssumeRole' && outcome === 'ok').length, 2)
})

t.test('a delegated administrator reads as the management account does; another member may not', async (t) => {
  const management = await startOrganization(t)
  const { calls, organization } = await startOrganization(t, (organization) => {
    organization.managementAccount = accounts.web
    organization.delegatedAdministrators = { [accounts.hub]: ['sso.amazonaws.com'] }
  })
  const [there, here] = [
    await readOrganization(management.calls, { signal }),
    await readOrganization(calls, { signal }),
  ]
  const placed = (picture: typeof here) => picture.accounts.map(({ id, parent, tags }) => ({ id, parent, tags }))
  t.same(placed(here), placed(there))
  organization.delegatedAdministrators = {}
  await t.rejects(readOrganization(calls, { signal }), {
    code: 'AWS_DENIED',
    message: /organizations:ListRoots is not allowed/,
  })
})

t.test('no organization at all, and one of a single account', async (t) => {
  const { calls, world, organization } = await startOrganization(t, (organization) => {
    organization.accounts = organization.accounts.filter(({ id }) => id === accounts.hub)
    organization.units = []
  })
  const picture = await readOrganization(calls, { signal })
  t.match(picture, { accounts: [{ id: accounts.hub, parent: root }], units: [] })
  world.organization = { ...organization, accounts: [] }
  await t.rejects(readOrganization(calls, { signal }), {
    code: 'AWS_DENIED',
    message: /belongs to no organization/,
    hint: /management account/,
  })
})

t.test('a permission that is missing is named', async (t) => {
  for (const operation of ['DescribeOrganization', 'ListOrganizationalUnitsForParent', 'ListTagsForResource']) {
    const { aws, calls } = await startOrganization(t)
    aws.faults.deny(`organizations:${operation}`)
    await t.rejects(readOrganization(calls, { signal }), {
      code: 'AWS_DENIED',
      message: new RegExp(`organizations:${operation} is not allowed`),
      hint: /sallyport aws policies --feature organization/,
    })
  }
})

t.test('an account that moves amid the walk is in one place', async (t) => {
  const later = [units.production, units.payments, units.sandbox].sort().at(-1) ?? ''
  for (const [from, to, seen] of [
    [root, later, 'twice'],
    [later, root, 'nowhere'],
  ] as const) {
    const { aws, calls, organization, operations } = await startOrganization(t, (organization) => {
      for (const account of organization.accounts) if (account.id === accounts.web) account.parent = from
    })
    const before = operations().length
    const held = aws.faults.hold('ListAccountsForParent')
    const reading = readOrganization(calls, { signal })
    await held.waits
    // The list of the root is answered first; the account moves before the next.
    const next = aws.faults.hold('ListAccountsForParent')
    held.letGo()
    await next.waits
    for (const account of organization.accounts) if (account.id === accounts.web) account.parent = to
    next.letGo()
    const picture = await reading
    t.equal(picture.accounts.find(({ id }) => id === accounts.web)?.parent, to, `seen ${seen}`)
    t.same(
      operations()
        .slice(before)
        .filter((one) => one === 'ListParents').length,
      1,
    )
  }
})

t.test('a unit that is made amid the walk is taken in, with the unit above it', async (t) => {
  const { aws, calls, organization } = await startOrganization(t)
  const held = aws.faults.hold('ListAccounts')
  const reading = readOrganization(calls, { signal })
  await held.waits
  const [outer, inner] = ['ou-ab12-99999998', 'ou-ab12-99999999']
  organization.units.push(
    { id: outer, name: 'Outer', parent: units.sandbox, tags: {} },
    { id: inner, name: 'Inner', parent: outer, tags: { new: 'yes' } },
  )
  for (const account of organization.accounts) if (account.id === accounts.web) account.parent = inner
  held.letGo()
  const picture = await reading
  t.equal(picture.accounts.find(({ id }) => id === accounts.web)?.parent, inner)
  t.match(picture.units.slice(-2), [
    { id: outer, parent: units.sandbox },
    { id: inner, parent: outer, tags: { new: 'yes' } },
  ])
})

t.test('what goes amid the walk is left out: a unit, an account', async (t) => {
  for (const operation of ['ListAccounts', 'ListAccountsForParent', 'ListTagsForResource']) {
    const { aws, calls, organization } = await startOrganization(t)
    const held = aws.faults.hold(operation)
    const reading = readOrganization(calls, { signal })
    await held.waits
    organization.units = organization.units.filter(({ id }) => id !== units.sandbox)
    organization.accounts = organization.accounts.filter(({ id }) => id !== closedShop)
    held.letGo()
    const picture = await reading
    t.same(
      picture.units.map(({ id }) => id),
      [units.production, units.payments],
      operation,
    )
    t.notOk(picture.accounts.some(({ id }) => id === closedShop))
  }
})

t.test('tags that are known are not read again', async (t) => {
  const { calls, outcomes } = await startOrganization(t)
  const before = await readOrganization(calls, { signal })
  const known = new Map([...before.accounts, ...before.units].map(({ id, tags }) => [id, tags]))
  known.delete(accounts.web)
  t.same(await readOrganization(calls, { signal, knownTags: (id) => known.get(id) }), before)
  t.match(await outcomes(), { 'ListTagsForResource ok': 8 })
})

t.test('progress is told for each phase, and a stop is obeyed', async (t) => {
  const { aws, calls } = await startOrganization(t)
  const told: ReadProgress[] = []
  await readOrganization(calls, { signal, onProgress: (one) => told.push(one) })
  t.same(
    told.filter(({ done, total }) => done === total),
    [
      { phase: 'units', done: 4, total: 4 },
      { phase: 'parents', done: 4, total: 4 },
      { phase: 'tags', done: 7, total: 7 },
    ],
  )
  t.ok(told.some(({ phase, done }) => phase === 'accounts' && done === 4))
  const stop = new AbortController()
  const held = aws.faults.hold('ListAccounts')
  const reading = readOrganization(calls, { signal: stop.signal })
  await held.waits
  stop.abort(new Error('the daemon stops'))
  await t.rejects(reading, { message: 'the daemon stops' })
  held.letGo()
})

t.test('what a model does not foresee is an error: a state, an id', async (t) => {
  const { calls } = await startOrganization(t, (organization) => {
    for (const account of organization.accounts) if (account.id === accounts.web) account.state = 'MELTED' as 'ACTIVE'
  })
  await t.rejects(readOrganization(calls, { signal }), {
    code: 'AWS_UNAVAILABLE',
    message: new RegExp(`the state of account ${accounts.web} is MELTED`),
  })
})
