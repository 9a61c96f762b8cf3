// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references look like this
import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { rulesCheck } from '../../../src/access/rules/load-rules.ts'
import type { ConfigCheck } from '../../../src/config/config.ts'
import { judgePair } from '../../../src/config/file-checks.ts'
import { kinds } from '../../../src/kinds/registry.ts'
import { createAuthority } from '../../sandbox/certificates.ts'
import { database, lines, load, minimal, type Options } from './load-text.ts'

const authority = createAuthority()
const leaf = authority.issue(['localhost'], { notAfter: Date.now() + 300 * 86_400_000 })
const other = authority.issue(['localhost'])
const { validFromDate, validToDate } = new X509Certificate(leaf.cert)
const files = { cert: leaf.cert, key: leaf.key, 'other.key': other.key, ca: authority.cert }
const now = validToDate.getTime() - 60 * 86_400_000

/** What is said of `sections`, put in place of those of the minimal file; warnings begin with `?`. */
async function told(sections: Readonly<Record<string, object>>, options: Options = {}) {
  const text = JSON.stringify({
    version: 1,
    server: { public_url: 'http://localhost:8443' },
    oidc: { issuer: 'https://login.example.com', client_id: 'a', client_secret: '${env:X}' },
    ...sections,
  })
  const loaded = await load({ teardown: t.teardown.bind(t) }, text, { files, now, env: { X: 'x' }, ...options })
  const said = loaded.ok ? loaded.warnings : loaded.problems
  return said.map(({ path, message }) => `${loaded.ok ? '? ' : ''}${path}: ${message}`)
}

const server = (more: object) => told({ server: { public_url: 'https://access.example.com', ...more } })
const tls = { cert: 'cert', key: 'key' }

t.test('plain HTTP is served on loopback or behind trusted proxies only', async (t) => {
  const refused = (host: string) => [`server.listen: plain HTTP on ${host} would send sign-ins unencrypted`]
  t.same(await server({ listen: '0.0.0.0:80' }), refused('0.0.0.0'))
  t.same(await server({ listen: '[::]:80' }), refused('::'))
  t.same(await server({ listen: '128.0.0.1:80' }), refused('128.0.0.1'))
  t.same(await server({ listen: 'localhost.example.com:80' }), refused('localhost.example.com'))
  t.same(await server({ listen: '127.1.example.com:80' }), refused('127.1.example.com'))
  t.same(await server({ listen: '0.0.0.0:443', tls }), [])
  t.same(await server({ listen: '0.0.0.0:80', trusted_proxies: ['10.0.0.0/8', '::1'] }), [])
  for (const listen of ['127.0.0.1:80', '127.9.9.9:80', 'localhost:80', '[::1]:80'])
    t.match(await server({ listen }), [/^\? server.public_url: is https, but the daemon serves plain HTTP/], listen)
})

t.test('peer_url is an origin of this daemon alone', async (t) => {
  const of = (peer_url: string) => server({ tls, peer_url })
  t.same(await of('http://10.0.1.17:8443'), [], 'plain HTTP will do: what is said is sealed')
  t.same(await of('https://sallyport-a:8443/'), [])
  t.same(await of('https://access.example.com/'), [
    'server.peer_url: is server.public_url, which may lead to any daemon',
  ])
  t.same(await of('https://a/b'), ['server.peer_url: expected nothing after the host and port'])
  t.same(await of('https://a:b@c'), ['server.peer_url: expected no user or password in the URL'])
  t.same(await of('https://a:99999'), ['server.peer_url: expected a URL'])
})

t.test('a range of balancers that other daemons are in is noticed', async (t) => {
  const of = (peer_url: string, range: string) => server({ tls, peer_url, proxy_protocol: [range] })
  for (const [url, range] of [
    ['https://10.0.1.17:8443', '10.0.0.0/16'],
    ['http://10.0.1.17', '10.0.1.17'],
    ['https://[fd00::2]:8443', 'fd00::/64'],
  ] as const)
    t.match(await of(url, range), [/^\? server.proxy_protocol\[0\]: has (10.0.1.17|fd00::2) of server.peer_url in it/])
  t.same(await of('https://10.0.1.17:8443', '10.0.9.0/24'), [])
  t.same(await of('https://sallyport-a:8443', '10.0.0.0/8'), [], 'where a name leads is not known yet')
})

t.test('public_url is an origin, with https unless it is on loopback', async (t) => {
  const of = (public_url: string) => told({ server: { public_url, tls } })
  t.same(await of('https://access.example.com:8443/'), [])
  t.same(await of('http://127.0.0.1:8443'), [])
  t.same(await of('http://access.example.com'), ['server.public_url: expected https, got http'])
  t.same(await of('https://a:b@access.example.com'), ['server.public_url: expected no user or password in the URL'])
  for (const more of ['/sallyport', '/?a=b', '/#a'])
    t.same(await of(`https://access.example.com${more}`), [
      'server.public_url: expected nothing after the host and port',
    ])
  t.same(await of('https://'), [
    'server.public_url: expected a URL that begins with https:// or http://, got "https://"',
  ])
  t.same(await of('https://a:99999'), ['server.public_url: expected a URL'])
})

t.test('trusted proxies are addresses or ranges of them', async (t) => {
  const of = (range: string) => server({ tls, trusted_proxies: [range] })
  for (const right of ['10.0.0.1', '10.0.0.0/8', '0.0.0.0/0', '::1', 'fd00::/8', '10.0.0.1/32'])
    t.same(await of(right), [])
  for (const wrong of ['10.0.0.0/33', '::/129', '10.0.0', 'proxy.internal', '10.0.0.0/8/8', '10.0.0.0/', '10.0.0.0/x'])
    t.same(await of(wrong), [`server.trusted_proxies[0]: expected an address or CIDR, got "${wrong}"`])
})

t.test('a PostgreSQL port needs a certificate: its own or that of the server', async (t) => {
  const of = (more: object, one: object) =>
    told({ server: { public_url: 'http://localhost', ...more }, listeners: { postgres: [one] } })
  const listen = '0.0.0.0:5432'
  t.match(await of({}, { listen }), [
    'listeners.postgres[0]: a protocol port needs a certificate: connect tokens are sent only inside TLS',
  ])
  t.same(await of({}, { listen, tls }), [])
  t.same(await of({ tls }, { listen }), [])
})

t.test('no two ports are the same', async (t) => {
  const of = (listen: string, ...postgres: string[]) =>
    told({
      server: { public_url: 'http://localhost', listen, tls },
      listeners: { postgres: postgres.map((one) => ({ listen: one })) },
    })
  t.same(await of('127.0.0.1:9464'), ['server.metrics_listen: port 9464 is already taken by server.listen'])
  t.same(await of('0.0.0.0:1', '127.0.0.1:1'), [
    'listeners.postgres[0].listen: port 1 is already taken by server.listen',
  ])
  t.same(await of('127.0.0.1:1', '127.0.0.2:1'), [])
  t.same(await of('127.0.0.1:0', '127.0.0.1:0'), [], 'port 0 is any free port')
  t.same(await of('127.0.0.1:1', '127.0.0.2:2', '[::]:2'), [
    'listeners.postgres[1].listen: port 2 is already taken by listeners.postgres[0].listen',
  ])
})

t.test('a port is pinned to one resource that exists', async (t) => {
  const of = (resource: string, ...ids: string[]) =>
    told({
      server: { public_url: 'http://localhost', tls },
      listeners: { postgres: [{ listen: '0.0.0.0:5432', resource }] },
      resources: ids.map((id) => (id.startsWith('rds') ? { id, ...database } : { id })),
    })
  const [a, b] = ['rds-postgres/111122223333/eu-west-1/orders', 'rds-postgres/111122223333/us-east-1/orders']
  t.same(await of('orders', a), [])
  t.same(await of(a, a, b), [])
  t.same(await of('orders', a, b), ['listeners.postgres[0].resource: "orders" matches several resources'])
  t.same(await of('billing', a), ['listeners.postgres[0].resource: there is no resource "billing"'])
  const role = 'iam-role/111122223333/orders'
  t.same(await of('orders', role, a), [], 'only what the protocol reaches can be meant')
  t.same(await of('orders', role), [`listeners.postgres[0].resource: ${role} cannot be reached by postgres`])
})

t.test('the provider is reached by https unless it is on loopback', async (t) => {
  const of = (issuer: string) => told({ oidc: { issuer, client_id: 'a', client_secret: '${env:X}' } })
  t.same(await of('http://127.0.0.1:4000'), [])
  t.same(await of('http://login.example.com'), ['oidc.issuer: expected https, got http'])
  t.match(await told({ oidc: { issuer: 'https://a', client_id: 'a' } }), [/^\? oidc: there is no client_secret/])
})

t.test('AWS: endpoints, and one partition for a broker', async (t) => {
  const of = (aws: object) => told({ aws })
  t.same(await of({ endpoint_url: { STS: 'https://vpce.sts.eu-west-1.vpce.amazonaws.com' } }), [])
  t.same(await of({ endpoint_url: 'http://sts.internal' }), [
    '? aws.endpoint_url: session tokens would be sent unencrypted',
  ])
  t.same(await of({ endpoint_url: { sts: 'https://a:99999' } }), ['aws.endpoint_url.sts: expected a URL'])
  const hub_role_arn = 'arn:aws-cn:iam::111122223333:role/Hub'
  t.same(await of({ hub_role_arn, accounts: { 444455556666: {} } }), [
    'aws.accounts.444455556666: is in partition aws, but the hub role is in aws-cn',
  ])
  t.same(await of({ hub_role_arn, accounts: { 444455556666: { partition: 'aws-cn' } } }), [])
})

t.test('sessions that carry no tags of ours cannot be revoked by one', async (t) => {
  const of = (trust: string) =>
    told(
      {
        aws: { accounts: { 444455556666: { trust } } },
        resources: [{ id: 'iam-role/444455556666/R', revocable: true }],
      },
      { checks: [rulesCheck(kinds)] },
    )
  t.same(await of('hub'), [])
  t.match(await of('web_identity'), [/^resources\[0\]\.revocable: account 444455556666 trusts web_identity/])
})

t.test('a level with {login} needs the claim that it is taken from', async (t) => {
  const of = async (oidc: object, kind: string, db_user: string) => {
    const text = JSON.stringify(
      {
        version: 1,
        server: { public_url: 'http://localhost:8443' },
        oidc: { issuer: 'https://login.example.com', client_id: 'a', client_secret: '${env:X}', ...oidc },
        levels: [{ for: { kinds: [kind] }, readonly: { db_user: 'ro' }, own: { db_user } }],
      },
      null,
      2,
    )
    const loaded = await load(t, text, { env: { X: 'x' }, checks: [rulesCheck(kinds)] })
    return { problems: loaded.ok ? [] : loaded.problems, text }
  }
  for (const kind of ['rds-postgres', 'rds-mysql']) {
    const { problems, text } = await of({}, kind, 'app_{login}')
    t.match(problems, [
      {
        path: 'levels[0].own.db_user',
        line: text.split('\n').findIndex((line) => line.includes('app_{login}')) + 1,
        message: /oidc\.login_claim is not set$/,
        fix: /^set oidc\.login_claim to a claim of the ID token that is unique/,
      },
    ])
    t.equal(problems.length, 1)
    t.same((await of({ login_claim: 'preferred_username' }, kind, 'app_{login}')).problems, [])
    t.same((await of({}, kind, 'app')).problems, [])
  }
})

t.test('an anchor is a file or standard output, one an item', async (t) => {
  const of = (one: object) => told({ audit: { anchors: [one] } })
  t.same(await of({ file: 'a' }), [])
  t.same(await of({ stdout: true }), [])
  t.same(await of({ stdout: false }), ['audit.anchors[0]: stdout: false has no effect'])
  t.same(await of({}), ['audit.anchors[0]: expected one of file and stdout'])
  t.same(await of({ file: 'a', stdout: true }), ['audit.anchors[0]: expected one of file and stdout'])
})

t.test('certificates and keys are there, belong together and are in date', async (t) => {
  const of = (cert: string, key: string, at = now) =>
    told({ server: { public_url: 'https://a', tls: { cert, key } } }, { now: at })
  t.same(await of('cert', 'key'), [])
  t.same(await of('none', 'nowhere'), [
    'server.tls.cert: the file cannot be read (ENOENT)',
    'server.tls.key: the file cannot be read (ENOENT)',
  ])
  t.same(await of('key', 'cert'), [
    'server.tls.cert: expected a PEM certificate',
    'server.tls.key: expected a PEM private key without a passphrase',
  ])
  t.same(await of('cert', 'other.key'), ['server.tls.key: is not the key of the certificate'])
  t.match(await of('cert', 'key', validToDate.getTime()), [/^server.tls.cert: expired on 2/])
  t.match(await of('cert', 'key', validToDate.getTime() - 1), [/^\? server.tls.cert: expires on 2/])
  t.same(judgePair('tls', leaf.cert, leaf.key, validFromDate.getTime()).length, 0)
  t.match(judgePair('tls', leaf.cert, leaf.key, validFromDate.getTime() - 1), [
    { path: 'tls.cert', message: /^is not valid before 2/, warning: true },
  ])
  t.match(
    await told({ listeners: { postgres: [{ listen: '0.0.0.0:5432', tls: { cert: 'cert', key: 'other.key' } }] } }),
    ['listeners.postgres[0].tls.key: is not the key of the certificate'],
  )
})

t.test('the roots of a target are certificates', async (t) => {
  const of = (ca: string) =>
    told(
      { resources: [{ id: 'rds-postgres/111122223333/eu-west-1/a', ...database, ca }] },
      { files: { ...files, bad: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' } },
    )
  t.same(await of('ca'), [])
  t.same(await of('none'), ['resources[0].ca: the file cannot be read (ENOENT)'])
  t.same(await of('key'), ['resources[0].ca: the file contains no PEM certificate'])
  t.same(await of('bad'), ['resources[0].ca: certificate 1 of the file cannot be read'])
})

t.test('what features find is reported with the rest, and only when their sections are whole', async (t) => {
  const seen: unknown[] = []
  const check: ConfigCheck = (config) => {
    seen.push(config.access)
    return {
      problems: [{ path: 'levels[0].readonly["a.b"]', message: 'wrong', fix: 'right' }],
      warnings: [{ path: 'access', message: 'odd', fix: '' }],
    }
  }
  const text = `${minimal}levels:\n  - for: {}\n    readonly: { a.b: 1 }\n`
  const loaded = await load(t, text.replace('http://localhost', 'http://a.example.com'), { checks: [check] })
  t.same(lines(loaded.ok ? [] : loaded.problems), [
    '3:15 server.public_url: expected https, got http; use https; only loopback addresses may use http',
    '9:22 levels[0].readonly["a.b"]: wrong; right',
  ])
  t.same(seen, [[]])
  const noRules = await load(t, `${text}access: 1\n`, { checks: [check] })
  t.match(
    lines(noRules.ok ? [] : noRules.problems).join('\n'),
    /a\.b[\s\S]*access: /,
    'what is wrong with levels does not wait for good rules',
  )
  await load(t, `${text}resources: 1\n`, { checks: [check] })
  t.equal(seen.length, 2, 'not run where it would report what is not wrong')
})

t.test('a path that a feature wrote without quoting still finds its line', async (t) => {
  const check: ConfigCheck = () => ({ problems: [{ path: 'oidc.["\\q"].x', message: 'm', fix: 'f' }], warnings: [] })
  const loaded = await load(t, minimal, { checks: [check] })
  t.match(loaded, { ok: false, problems: [{ line: 5, column: 3 }] })
})

t.test(
  'groups of Identity Center give rights where it is read, never a role, and none that rules give members',
  async (t) => {
    const group = '906712f8a5-0a1b2c3d-1111-4222-8333-000000000001'
    const rule = (name: string, groups: string[], more: object = {}) => ({
      ...{ name, who: { groups }, what: { kinds: ['identity-center-group'] }, levels: ['member'], max_duration: '1h' },
      ...more,
    })
    const of = (access: object[], more: object = {}) =>
      told(
        {
          inventory: { identity_center: { region: 'eu-west-1' } },
          levels: [{ for: { kinds: ['identity-center-group'] }, member: { member: true } }],
          resources: [{ id: `identity-center-group/${group}`, title: 'Ops' }],
          access,
          ...more,
        },
        { checks: [rulesCheck(kinds)] },
      )
    t.same(await of([rule('a', ['idc:Others'])]), [])
    const stages = [{ any_of: ['group:idc:Ops', 'group:staff'] }]
    t.match(await of([rule('a', [`idc:${group}`]), rule('b', ['idc:Ops'], { approval: { stages } })]), [
      /^access\[0\]\.who\.groups\[0\]: the rules give membership in idc:9067/,
      /^access\[1\]\.who\.groups\[0\]: the rules give membership in idc:Ops itself \(identity-center-group\/9067/,
      /^access\[1\]\.approval\.stages\[0\]\.any_of: the rules give/,
    ])
    t.match(await of([rule('a', ['idc:Ops'], { what: { kinds: ['permission-set'] } })]), [/^\? access\[0\]\.what: /])
    t.match(await of([rule('a', ['staff', 'idc:Others'])], { inventory: {} }), [
      /^access\[0\]\.who\.groups\[1\]: Identity Center is not read, so nobody is in "idc:Others"/,
    ])
    const oidc = { issuer: 'https://login.example.com', client_id: 'a', client_secret: '${env:X}' }
    t.same(await of([rule('a', ['staff'])], { oidc: { ...oidc, admin_groups: ['x', 'idc:Ops'] } }), [
      'oidc.admin_groups[1]: groups of Identity Center give no role, got "idc:Ops"',
    ])
  },
)
