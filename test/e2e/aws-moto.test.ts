import { test } from 'tap'
import { accounts, region } from '../sandbox/default-world.ts'
import { motoMissing, startMoto } from '../sandbox/moto.ts'
import { isInstalled } from '../sandbox/programs.ts'
import { waitFor } from '../wait-until.ts'
import { type Company, startCompany } from './company.ts'

/** The same against moto, an AWS that others wrote. It enforces no trust policy, so only what works is shown here. */

/** IAM's query protocol, as an administrator of the account. */
async function iam(url: string, parameters: Record<string, string>): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0`,
      'x-moto-account-id': accounts.data,
    },
    body: new URLSearchParams({ Version: '2010-05-08', ...parameters }),
  })
  return await response.text()
}

const policyArn = `arn:aws:iam::${accounts.data}:policy/sallyport/SallyportRevocations`

async function deniedNow(url: string): Promise<{ document: string; versions: number }> {
  const listed = await iam(url, { Action: 'ListPolicyVersions', PolicyArn: policyArn })
  const current = /<member>(?:(?!<\/member>)[\s\S])*<IsDefaultVersion>true(?:(?!<\/member>)[\s\S])*<\/member>/.exec(
    listed,
  )?.[0]
  const version = /<VersionId>(v\d+)</.exec(current ?? '')?.[1] ?? ''
  const shown = await iam(url, { Action: 'GetPolicyVersion', PolicyArn: policyArn, VersionId: version })
  return {
    document: decodeURIComponent(/<Document>([\s\S]*?)</.exec(shown)?.[1] ?? ''),
    versions: listed.match(/<member>/g)?.length ?? 0,
  }
}

async function eventuallyDenied(url: string, grantId: string): Promise<number> {
  let shown = ''
  const look = async () => {
    const { document, versions } = await deniedNow(url)
    shown = document
    return document.includes(grantId) ? versions : undefined
  }
  return await waitFor(look, () => `${grantId} is in ${shown}`, 20_000, 100)
}

test('against moto', { skip: motoMissing() }, async (t) => {
  const moto = await startMoto()
  t.teardown(() => moto.stop())
  const ceiling = {
    Version: '2012-10-17',
    Statement: [{ Sid: 'Ceiling', Effect: 'Allow', Action: '*', Resource: '*' }],
  }
  const created = await iam(moto.url, {
    Action: 'CreatePolicy',
    PolicyName: 'SallyportRevocations',
    Path: '/sallyport/',
    PolicyDocument: JSON.stringify(ceiling),
  })
  t.match(created, policyArn)
  const company: Company = await startCompany({ overrides: { aws: { endpoint_url: moto.url } } })
  t.teardown(() => company.close())
  const { alice } = company.commands
  const env = {
    ...alice.env,
    AWS_ENDPOINT_URL: moto.url,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
  }

  await t.test(
    'the aws CLI works unchanged',
    { skip: isInstalled('aws') ? false : 'aws is not installed' },
    async (t) => {
      await company.grant(3_600_000, 'ReportsReader')
      const cli = [
        'aws',
        '--endpoint-url',
        moto.url,
        'sts',
        'get-caller-identity',
        '--query',
        'Arn',
        '--output',
        'text',
      ]
      const ran = await alice.run(['aws', 'ReportsReader', 'exec', '--', ...cli], env)
      t.equal(
        ran.stdout.trim(),
        `arn:aws:sts::${accounts.data}:assumed-role/ReportsReader/alice@example.com`,
        ran.stderr,
      )
    },
  )

  await t.test('eight revocations in a row: IAM keeps five versions, and every grant is denied', async (t) => {
    const ids: string[] = []
    for (let i = 0; i < 8; i++) {
      const { id } = await company.grant(8 * 3_600_000, 'ReportsReader')
      await company.api('alice', 'POST', '/api/v1/aws/credentials', { resource: 'ReportsReader', level: 'readonly' })
      await company.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })
      ids.push(id)
      t.ok((await eventuallyDenied(moto.url, id)) <= 5)
    }
    const { document } = await deniedNow(moto.url)
    for (const id of ids) t.ok(document.includes(id), id)
    t.match(document, /"Ceiling"/)
  })
})
