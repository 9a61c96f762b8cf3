/** Organizations is one endpoint for each partition, and signs for that endpoint's region. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { createOrganizationCalls } from '../../../../src/aws/organization/organization-calls.ts'
import { createMetrics } from '../../../../src/telemetry/metrics.ts'
import { signal } from '../hub-setup.ts'

const credentials = { accessKeyId: 'ASIAX', secretAccessKey: 'x', sessionToken: 'x', expiresAt: Date.now() + 3_600_000 }

t.test('by the partition of the hub role, or of the first region where there is none', async (t) => {
  const scopes: string[] = []
  const server = createServer((request, response) => {
    scopes.push(/Credential=ASIAX\/\d+\/([^/]+\/[^/]+)/.exec(request.headers.authorization ?? '')?.[1] ?? '')
    response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' })
    response.end(JSON.stringify({ __type: 'AccessDeniedException', Message: 'no' }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const hub = (partition: string) => `arn:${partition}:iam::111111111111:role/SallyportHub`
  for (const [hubRoleArn, regions] of [
    [hub('aws'), ['eu-west-1']],
    [hub('aws-us-gov'), ['us-gov-east-1']],
    [hub('aws-cn'), ['cn-north-1']],
    [null, ['eu-central-1']],
    [null, ['us-gov-east-1']],
    [null, ['cn-north-1']],
    [null, []],
  ] as const) {
    const config = { hubRoleArn, regions, endpoints: { organizations: url } }
    const calls = createOrganizationCalls({ aws: { hub: async () => credentials }, config, metrics: createMetrics() })
    await t.rejects(calls.describe(signal), { code: 'AWS_DENIED' })
  }
  t.same(
    scopes,
    ['us-east-1', 'us-gov-west-1', 'cn-northwest-1', 'us-east-1', 'us-gov-west-1', 'cn-northwest-1', 'us-east-1'].map(
      (region) => `${region}/organizations`,
    ),
  )
})
