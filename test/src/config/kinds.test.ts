// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references look like this
import { join } from 'node:path'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { rulesCheck } from '../../../src/access/rules/load-rules.ts'
import type { Kind, Problem } from '../../../src/catalog/kind.ts'
import { renderJsonSchema, renderReference } from '../../../src/config/reference.ts'
import { editorSchema } from '../../../src/config/schema.ts'
import { kinds as builtIn } from '../../../src/kinds/registry.ts'
import { createAuthority } from '../../sandbox/certificates.ts'
import { lines, load } from './load-text.ts'

interface SandboxTarget {
  readonly socket: string
  readonly account: string
}

interface SandboxLevel {
  readonly user: string
}

const wrong = (path: string, message: string): { ok: false; problems: Problem[] } => ({
  ok: false,
  problems: [{ path, message }],
})

/** A kind that nothing outside this file knows. */
const sandboxDb: Kind<SandboxTarget, SandboxLevel> = {
  name: 'sandbox-db',
  id: 'regional',
  protocol: 'postgres',
  target: {
    schema: Type.Object(
      {
        socket: Type.String({ description: 'Where it listens', examples: ['/run/db.sock'] }),
        pages: Type.Optional(Type.Integer({ minimum: 1, description: 'Pages of its cache', default: 8 })),
        roots: Type.Optional(
          Type.String({ 'x-file': 'certificates', description: 'Roots it is known by', examples: ['roots.pem'] }),
        ),
      },
      { additionalProperties: false },
    ),
    read: ({ attributes: { socket }, account }) =>
      typeof socket === 'string' && socket.startsWith('/')
        ? { ok: true, value: { socket, account: account ?? '' } }
        : wrong('socket', 'expected an absolute path'),
  },
  targetId: ({ socket }) => socket,
  level: {
    schema: Type.Object(
      { user: Type.String({ description: 'Who signs in', examples: ['ro'] }) },
      { additionalProperties: false },
    ),
    read: (raw) => {
      const { user } = Object(raw) as { user?: unknown }
      return typeof user === 'string' ? { ok: true, value: { user } } : wrong('user', 'expected a name')
    },
  },
  fits: ({ user }, { socket }) =>
    socket.includes(user) ? [] : [{ path: 'user', message: `no user ${user} there`, fix: 'name another' }],
  check: ({ account }, { aws }) =>
    aws.accounts[account]?.trust === 'web_identity'
      ? [{ path: 'id', message: 'this kind needs the hub', fix: 'let the account trust it' }]
      : [],
}

const kinds = [...builtIn, sandboxDb]
const id = 'sandbox-db/111122223333/eu-west-1/box'
const good = { id, socket: '/run/ro.sock' }

const textOf = (sections: object) =>
  JSON.stringify({
    version: 1,
    server: { public_url: 'http://localhost:8443' },
    oidc: { issuer: 'https://login.example.com', client_id: 'a', client_secret: '${env:X}' },
    ...sections,
  })

const loadWith = (sections: object, files = {}, registry: typeof kinds = kinds) =>
  load({ teardown: t.teardown.bind(t) }, textOf(sections), {
    env: { X: 'x' },
    kinds: registry,
    checks: [rulesCheck(registry)],
    files,
  })

async function problems(sections: object, files = {}, registry?: typeof kinds): Promise<string[]> {
  const loaded = await loadWith(sections, files, registry)
  return loaded.ok ? [] : lines(loaded.problems).map((line) => line.replace(/^\d+:\d+ /, ''))
}

t.test('an entry has the attributes of its kind, each validated by the schema of that kind', async (t) => {
  t.same(await problems({ resources: [good] }), [])
  t.same(await problems({ resources: [{ id, pages: 0 }] }), [
    'resources[0].socket: "socket" is missing; add socket; e.g. /run/db.sock',
    'resources[0].pages: expected a whole number from 1, got 0; e.g. 8',
  ])
  t.same(await problems({ resources: [{ ...good, socket: 'run' }] }), [
    'resources[0].socket: expected an absolute path; run `sallyport config reference` to see what is allowed here',
  ])
})

t.test('an attribute of another kind, of no kind, and a kind that is unknown', async (t) => {
  t.same(await problems({ resources: [{ ...good, endpoint: 'a.b' }] }), [
    'resources[0].endpoint: sandbox-db has no attribute "endpoint"; remove it; it has socket, pages, roots',
  ])
  t.same(await problems({ resources: [{ id: 'iam-role/111122223333/R', socket: '/run' }] }), [
    'resources[0].socket: iam-role has no attribute "socket"; remove it; it has role, max_session, revocable, transitive_tags, source_identity',
  ])
  t.same(await problems({ resources: [{ ...good, sockets: 1 }] }), [
    'resources[0].sockets: unknown key "sockets"; did you mean socket?',
  ])
  t.same(await problems({ resources: [good] }, {}, [...builtIn]), [
    'resources[0].id: unknown kind "sandbox-db"; use one of iam-role, rds-postgres, rds-mysql, ec2-instance, eks-cluster, account, organizational-unit, identity-center-group, permission-set',
  ])
  t.same(await problems({ resources: [{ ...good, id: 'sandbox-db/box' }] }), [
    'resources[0].id: expected sandbox-db/ACCOUNT/REGION/NAME, got "sandbox-db/box"; write the full id',
  ])
})

t.test('levels are read by the kinds they are for, and must fit each target', async (t) => {
  const of = (level: object) =>
    problems({ resources: [good], levels: [{ for: { kinds: ['sandbox-db'] }, readonly: level }] })
  t.same(await of({ user: 'ro' }), [])
  t.match(await of({}), [/^levels\[0\]\.readonly\.user: expected a name; /])
  t.same(await of({ user: 'rw' }), [`levels[0].readonly.user: on ${id}: no user rw there; name another`])
})

t.test('a kind may refuse what surrounds a target', async (t) => {
  const of = (trust: string) => problems({ aws: { accounts: { 111122223333: { trust } } }, resources: [good] })
  t.same(await of('hub'), [])
  t.same(await of('web_identity'), ['resources[0].id: this kind needs the hub; let the account trust it'])
})

t.test('files that an attribute names start at the folder of the configuration, and are looked into', async (t) => {
  const { cert } = createAuthority()
  const loaded = await loadWith({ resources: [{ ...good, roots: 'roots.pem' }] }, { 'roots.pem': cert })
  t.ok(loaded.ok)
  if (loaded.ok) t.equal(loaded.config.resources[0]?.roots, join(loaded.config.file, '../roots.pem'))
  t.match(await problems({ resources: [{ ...good, roots: 'none' }] }), [
    /^resources\[0\]\.roots: the file cannot be read \(ENOENT\); /,
  ])
})

t.test('listeners follow from the protocols of the kinds, and may be pinned to what speaks them', async (t) => {
  const of = (listeners: object, registry?: typeof kinds) => problems({ listeners, resources: [good] }, {}, registry)
  const tls = { cert: 'cert', key: 'key' }
  const { cert, key } = createAuthority().issue(['localhost'])
  const pinned = { postgres: [{ listen: '127.0.0.1:1', tls, resource: 'box' }] }
  const loaded = await loadWith({ listeners: pinned, resources: [good] }, { cert, key })
  t.match(loaded, { ok: true, config: { listeners: { postgres: [{ resource: id }] } } })
  t.match(await of({ smoke: [] }), [/^listeners\.smoke: unknown key "smoke"; /])
  const smoke = [{ ...sandboxDb, protocol: 'smoke' }]
  t.same(await of({ smoke: [] }, smoke), [])
  t.match(await of({ smoke: [{ listen: '127.0.0.1:1' }] }, smoke), [
    /^listeners\.smoke\[0\]: a protocol port needs a certificate: /,
  ])
})

t.test('the JSON Schema accepts and refuses what the kinds do', async (t) => {
  t.match(JSON.parse(renderJsonSchema(kinds)), { properties: { listeners: { properties: { postgres: {} } } } })
  const schema = editorSchema(kinds)
  const accepts = (sections: object) => Value.Check(schema, JSON.parse(textOf(sections)))
  t.ok(accepts({ resources: [good] }))
  t.notOk(accepts({ resources: [{ id }] }))
  t.notOk(accepts({ resources: [{ ...good, endpoint: 'a.b' }] }))
  t.notOk(accepts({ resources: [{ ...good, pages: 0 }] }))
  const level = (meaning: object) => ({ levels: [{ for: { kinds: ['sandbox-db'] }, readonly: meaning }] })
  t.ok(accepts(level({ user: 'ro' })))
  t.ok(accepts(level({ db_user: 'ro' })), 'of some kind')
  t.notOk(accepts(level({ usr: 'ro' })))
})

t.test('the reference has a section for the attributes and one for the levels of each kind', async (t) => {
  const text = renderReference(kinds)
  t.match(
    text,
    /## Resources of sandbox-db\n(?:.*\n)+?\| `socket` \| text \| \*\*required\*\* \| `\/run\/db\.sock` \| Where it listens\. \|/,
  )
  t.match(text, /## Levels of sandbox-db\n(?:.*\n)+?\| `user` \| text \| \*\*required\*\* \| `ro` \| Who signs in\. \|/)
  for (const { name } of builtIn) t.match(text, `## Resources of ${name}\n`)
})
