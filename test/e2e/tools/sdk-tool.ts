/** A program with the JS SDK, as people write them. For each line on its input it asks who it is, and prints the answer. */
import { createInterface } from 'node:readline'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { fromNodeProviderChain } from '@aws-sdk/credential-providers'

const client = new STSClient({ credentials: fromNodeProviderChain() })
for await (const _ of createInterface({ input: process.stdin })) {
  const answer = await client.send(new GetCallerIdentityCommand({})).then(
    ({ Arn }) => Arn ?? '',
    (error: unknown) => `failed: ${error}`,
  )
  process.stdout.write(`${answer}\n`)
}
