import t from 'tap'
import {
  claimsIn,
  claimValue,
  fillTemplates,
  longestTags,
  needsTicket,
  templateProblems,
} from '../../../src/catalog/session-tags.ts'

const templates = {
  ticket: '{ticket}',
  team: 'team/{claim:team}',
  env: 'prod',
  both: '{ticket}:{claim:https://x.example/role}',
}

t.test('what stands in templates', (t) => {
  t.same(claimsIn(templates), ['team', 'https://x.example/role'])
  t.equal(needsTicket(templates), true)
  t.equal(needsTicket({ env: 'ticket' }), false)
  t.same(templateProblems(templates, 'session_tags'), [])
  t.end()
})

t.test('reserved keys, keys and values that AWS takes from no one, and keys that it does not tell apart', (t) => {
  const long = 'x'.repeat(129)
  for (const [tags, path, message] of [
    [{ 'sallyport:grant': 'x' }, 'tags.sallyport:grant', /reserved/],
    [{ 'Sallyport:team': 'x' }, 'tags.Sallyport:team', /reserved/],
    [{ SSMSessionRunAs: 'root' }, 'tags.SSMSessionRunAs', /reserved/],
    [{ ssmsessionrunas: 'root' }, 'tags.ssmsessionrunas', /reserved/],
    [{ 'aws:team': 'x' }, 'tags.aws:team', /reserved/],
    [{ [long]: 'x' }, `tags.${long}`, /1–128/],
    [{ 'a*b': 'x' }, 'tags.a*b', /expected a key/],
    [{ '': 'x' }, 'tags.', /expected a key/],
    [{ team: '' }, 'tags.team', /1–256/],
    [{ team: 'x'.repeat(257) }, 'tags.team', /1–256/],
    [{ team: 'a;b' }, 'tags.team', /1–256/],
    [{ team: '{claim:}' }, 'tags.team', /between braces/],
    [{ team: '{group}' }, 'tags.team', /between braces/],
    [{ team: '{ticket' }, 'tags.team', /between braces/],
    [{ Team: 'x', team: 'y' }, 'tags', /upper and lower case/],
    [Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`k${i}`, 'x'])), 'tags', /at most 10/],
  ] as const)
    t.match(templateProblems(tags as Record<string, string>, 'tags'), [{ path, message }], JSON.stringify(tags))
  t.same(templateProblems({ [long.slice(1)]: 'x'.repeat(256), 'Größe +=/@': 'ä' }, 'tags'), [])
  t.end()
})

t.test('values are filled in, or it is said which one is missing or cannot stand there', (t) => {
  const claims = { team: 'payments', 'https://x.example/role': 'dev' }
  t.same(fillTemplates(templates, { ticket: 'OPS-1', claims }), {
    ok: true,
    tags: { ticket: 'OPS-1', team: 'team/payments', env: 'prod', both: 'OPS-1:dev' },
  })
  t.match(fillTemplates(templates, { ticket: null, claims }), {
    ok: false,
    problem: /ticket .* tag ticket/,
    fix: 'add --ticket',
  })
  t.match(fillTemplates(templates, { ticket: 'OPS-1', claims: {} }), {
    ok: false,
    problem: /brought no team for the session tag team/,
  })
  t.match(fillTemplates({ a: '{claim:constructor}' }, { ticket: null, claims: {} }), {
    ok: false,
    problem: /no constructor/,
  })
  t.match(fillTemplates({ a: '{ticket}' }, { ticket: 'OPS#1', claims }), { ok: false, problem: /cannot hold "OPS#1"/ })
  t.match(fillTemplates({ a: 'x{ticket}' }, { ticket: 'y'.repeat(256), claims }), {
    ok: false,
    problem: /257 characters/,
  })
  t.match(fillTemplates({ a: '{ticket}' }, { ticket: '{claim:team}', claims }), { ok: false }, 'a value is no template')
  t.end()
})

t.test('the longest that may stand there', (t) => {
  const longest = longestTags({ env: 'prod', team: 'team/{claim:team}', ticket: '{ticket}' })
  t.equal(longest.env, 'prod')
  t.equal(longest.team?.length, 256)
  t.ok(longest.team?.startsWith('team/'))
  t.equal(longest.ticket?.length, 256)
  t.not(longest.ticket, longest.team?.slice(5))
  t.same(templateProblems(longest, 'tags'), [])
  t.end()
})

t.test('claims that a tag cannot hold are none', (t) => {
  for (const value of ['', 'x'.repeat(257), 'a;b', 7, true, null, ['a'], { a: 1 }, 'a\nb'])
    t.equal(claimValue(value), undefined, JSON.stringify(value))
  t.equal(claimValue('Größe 1'), 'Größe 1')
  t.end()
})
