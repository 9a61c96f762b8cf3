import { request } from 'node:http'
import { type Test, test } from 'tap'
import {
  type CredentialEndpointOptions,
  openCredentialEndpoint,
} from '../../../../proxy/local/aws/credential-endpoint.ts'
import { BrokerError } from '../../../../proxy/session.ts'

const credentials = {
  accessKeyId: 'ASIAEXAMPLE',
  secretAccessKey: 'secret',
  sessionToken: 'session',
  expiresAt: Date.parse('2026-11-24T12:34:56.789Z'),
  accountId: '111122223333',
}

async function open(t: Test, more: Partial<CredentialEndpointOptions> = {}) {
  const refused: string[] = []
  const clock = { now: 1_000_000 }
  const endpoint = await openCredentialEndpoint({
    get: async () => credentials,
    token: 'the-token',
    imds: { roleName: 'Deployer' },
    port: 0,
    now: () => clock.now,
    onRefused: (why) => refused.push(why),
    ...more,
  })
  t.teardown(() => endpoint.close())
  return { endpoint, refused, clock, url: `http://127.0.0.1:${endpoint.port}` }
}

/** With a Host of the caller's choice, which fetch does not allow. */
function get(port: number, path: string, headers: Record<string, string>, method = 'GET'): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, headers, method }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
      .on('error', reject)
      .end()
  })
}

test('the container endpoint: the token word for word, and the fields that SDKs read', async (t) => {
  const { endpoint, refused } = await open(t)
  const ok = await fetch(endpoint.containerUrl, { headers: { authorization: 'the-token' } })
  t.equal(ok.headers.get('cache-control'), 'no-store')
  t.same(await ok.json(), {
    AccessKeyId: 'ASIAEXAMPLE',
    SecretAccessKey: 'secret',
    Token: 'session',
    Expiration: '2026-11-24T12:34:56Z',
    AccountId: '111122223333',
  })
  for (const authorization of ['', 'the-token ', 'Bearer the-token', 'the-toke', 'x'])
    if (authorization.trim() !== 'the-token' || authorization === 'Bearer the-token')
      t.equal((await fetch(endpoint.containerUrl, { headers: { authorization } })).status, 401, authorization)
  t.equal((await fetch(endpoint.containerUrl)).status, 401)
  t.equal((await fetch(endpoint.containerUrl, { method: 'POST', headers: { authorization: 'the-token' } })).status, 405)
  t.ok(refused.length >= 2)
})

test('what comes from elsewhere is refused, whatever it knows', async (t) => {
  const { endpoint } = await open(t)
  const { port } = endpoint
  const authorization = 'the-token'
  t.equal(await get(port, '/credentials', { host: `localhost:${port}`, authorization }), 200)
  t.equal(await get(port, '/credentials', { host: `evil.example:${port}`, authorization }), 403, 'DNS rebinding')
  t.equal(await get(port, '/credentials', { host: '127.0.0.1', authorization }), 403, 'another port')
  const host = `127.0.0.1:${port}`
  t.equal(await get(port, '/credentials', { host, authorization, 'x-forwarded-for': '10.0.0.1' }), 403)
  t.equal(await get(port, '/credentials', { host, authorization, origin: 'https://evil.example' }), 403)
  t.equal(
    await get(port, '/latest/api/token', { host: 'evil', 'x-aws-ec2-metadata-token-ttl-seconds': '60' }, 'PUT'),
    403,
  )
})

test('IMDS: version 2 only, tokens that end, one role', async (t) => {
  const { url, clock } = await open(t)
  const token = async (ttl: string | undefined, method = 'PUT') =>
    await fetch(`${url}/latest/api/token`, {
      method,
      headers: ttl === undefined ? {} : { 'x-aws-ec2-metadata-token-ttl-seconds': ttl },
    })
  for (const ttl of [undefined, '0', '21601', '-1', 'abc', '1e3']) t.equal((await token(ttl)).status, 400, String(ttl))
  t.equal((await token('60', 'GET')).status, 405)
  t.equal((await token('1')).status, 200)
  const issued = await token('21600')
  t.equal(issued.headers.get('x-aws-ec2-metadata-token-ttl-seconds'), '21600')
  const shown = { 'x-aws-ec2-metadata-token': await issued.text() }
  const roles = `${url}/latest/meta-data/iam/security-credentials`
  t.equal((await fetch(`${roles}/`)).status, 401, 'version 1')
  t.equal((await fetch(`${roles}/`, { headers: { 'x-aws-ec2-metadata-token': 'made.up' } })).status, 401)
  t.equal(await (await fetch(`${roles}/`, { headers: shown })).text(), 'Deployer')
  t.equal(await (await fetch(roles, { headers: shown })).text(), 'Deployer')
  t.equal((await fetch(`${url}//latest/meta-data/iam/security-credentials/`, { headers: shown })).status, 200)
  t.match(await (await fetch(`${roles}/Deployer`, { headers: shown })).json(), {
    Code: 'Success',
    Type: 'AWS-HMAC',
    AccessKeyId: 'ASIAEXAMPLE',
    Token: 'session',
    Expiration: '2026-11-24T12:34:56Z',
  })
  t.equal((await fetch(`${roles}/Other`, { headers: shown })).status, 404)
  t.equal((await fetch(`${url}/latest/user-data`, { headers: shown })).status, 404)
  clock.now += 21_600_000
  t.equal((await fetch(`${roles}/Deployer`, { headers: shown })).status, 401, 'the token has ended')
})

test('without --imds there is no metadata service; a failure is said in the form that SDKs show', async (t) => {
  let failure: Error = new BrokerError('GRANT_DENIED', 'revoked by bob')
  const { endpoint, url, refused } = await open(t, {
    imds: null,
    get: async () => {
      throw failure
    },
  })
  t.equal(endpoint.imdsUrl, null)
  const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': '60' }
  t.equal((await fetch(`${url}/latest/api/token`, { method: 'PUT', headers })).status, 404)
  const failed = await fetch(endpoint.containerUrl, { headers: { authorization: 'the-token' } })
  t.equal(failed.status, 403, 'tools need not try again')
  t.same(await failed.json(), { code: 'CredentialsUnavailable', message: 'access was not granted: revoked by bob' })
  t.same(refused, ['access was not granted: revoked by bob'])
  failure = new BrokerError('AWS_UNAVAILABLE')
  t.equal((await fetch(endpoint.containerUrl, { headers: { authorization: 'the-token' } })).status, 503, 'they should')
})
