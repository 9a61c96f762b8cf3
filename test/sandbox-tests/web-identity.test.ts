/** AssumeRoleWithWebIdentity by the real SDK against the double: which ID tokens it believes, and which it refuses as AWS does. */
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AssumeRoleWithWebIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { exportJWK, SignJWT } from 'jose'
import t, { type Test } from 'tap'
import { startAws } from '../sandbox/aws.ts'
import { createClock } from '../sandbox/clock.ts'
import { arns, createWorld } from '../sandbox/default-world.ts'

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
const others = generateKeyPairSync('rsa', { modulusLength: 2048 })

/** An issuer that publishes one key. */
async function startIssuer(t: Test): Promise<string> {
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', use: 'sig', alg: 'RS256' }
  const server = createServer((request, response) => {
    const isKeys = request.url === '/keys'
    response.end(JSON.stringify(isKeys ? { keys: [jwk] } : { jwks_uri: `http://${request.headers.host}/keys` }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('ID tokens', async (t) => {
  const issuer = await startIssuer(t)
  const clock = createClock()
  const aws = await startAws({ world: createWorld({ issuer, clientId: 'sallyport' }), clock })
  t.teardown(() => aws.close())
  const client = new STSClient({ endpoint: aws.url, region: 'eu-west-1', maxAttempts: 1 })
  t.teardown(() => client.destroy())
  const now = Math.floor(clock.now() / 1000)
  const sign = (more: Record<string, unknown> = {}, by = keys.privateKey) =>
    new SignJWT({ iss: issuer, aud: 'sallyport', sub: 'alice', iat: now, exp: now + 60, ...more })
      .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
      .sign(by)
  const assume = (WebIdentityToken: string, RoleArn: string = arns.personal) =>
    client.send(new AssumeRoleWithWebIdentityCommand({ RoleArn, RoleSessionName: 'alice', WebIdentityToken }))

  await t.test('one that is right', async (t) => {
    t.match(await assume(await sign()), { Credentials: { AccessKeyId: /^ASIA/ } })
  })
  const [head, body] = (await sign()).split('.')
  const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`
  const wrong: readonly [what: string, token: string, name: RegExp, message: RegExp][] = [
    ['for another audience', await sign({ aud: 'another' }), /InvalidIdentityToken/, /audience/],
    ['for none', await sign({ aud: undefined }), /InvalidIdentityToken/, /audience/],
    ['that ends now', await sign({ exp: now - 1 }), /ExpiredToken/, /expired/],
    ['without an end', await sign({ exp: undefined }), /ExpiredToken/, /./],
    ['of another issuer', await sign({ iss: `${issuer}/other` }), /InvalidIdentityToken/, /No OpenIDConnect provider/],
    ['signed by another', await sign({}, others.privateKey), /InvalidIdentityToken/, /signature/],
    ['that is not signed', none, /InvalidIdentityToken/, /not a valid/],
    ['that is cut', `${head}.${body}`, /InvalidIdentityToken/, /./],
  ]
  for (const [what, token, name, message] of wrong)
    await t.test(`one ${what}`, (t) => t.rejects(assume(token), { name, message }))

  await t.test('roles of the hub, and of another account, believe none', async (t) => {
    t.match(await assume(await sign()), {})
    for (const arn of [arns.connect, arns.databases])
      await t.rejects(assume(await sign(), arn), { message: /No OpenIDConnect provider found in your account/ })
    await t.rejects(assume(await sign(), `${arns.personal}X`), { name: /AccessDenied/ })
  })
})
