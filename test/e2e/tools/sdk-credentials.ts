/** For each environment on its input, as a line of JSON: the key that the JavaScript SDK finds. */
import { createInterface } from 'node:readline'
import { fromNodeProviderChain } from '@aws-sdk/credential-providers'

for await (const line of createInterface({ input: process.stdin })) {
  process.env = JSON.parse(line) as NodeJS.ProcessEnv
  const answer = await fromNodeProviderChain({ maxRetries: 0 })().then(
    ({ accessKeyId }) => ({ key: accessKeyId }),
    (error: unknown) => ({ error: String(error) }),
  )
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
