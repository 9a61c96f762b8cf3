import { AwsClient } from 'aws4fetch'
import { region } from '../sandbox/default-world.ts'

/** A tool of AWS's that isn't the product's own: signs by another library, with whatever keys it is given. */
export interface AwsKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  readonly accountId?: string
}

/** @throws Error whose name is AWS's code */
export async function listBuckets(endpoint: string, keys: AwsKeys, now = Date.now()): Promise<readonly string[]> {
  const { accessKeyId, secretAccessKey, sessionToken } = keys
  const datetime = new Date(now).toISOString().replaceAll(/[:-]|\.\d+/g, '')
  const client = new AwsClient({ accessKeyId, secretAccessKey, sessionToken, service: 's3', region, retries: 0 })
  const signed = await client.sign(`${endpoint}/`, { aws: { datetime } })
  const response = await fetch(signed)
  const text = await response.text()
  const code = /<Code>([^<]+)</.exec(text)?.[1]
  if (code) throw Object.assign(new Error(text), { name: code })
  return [...text.matchAll(/<Name>([^<]+)</g)].map((match) => match[1] ?? '')
}
