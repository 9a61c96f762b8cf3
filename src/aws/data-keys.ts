import type { ChannelKey } from '../../proxy/session.ts'
import type { Config } from '../config/config.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { AwsCredentials } from './aws.ts'
import { toKmsError } from './aws-errors.ts'
import { toIdentity } from './client-options.ts'
import { counted } from './counted.ts'

export interface DataKeyAsk {
  /** ARN of the key of KMS. */
  readonly key: string
  /** Needed again by who decrypts it. */
  readonly context: Readonly<Record<string, string>>
}

/**
 * A new data key of 64 bytes, and the same encrypted under a key of KMS. Memory only.
 * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE
 */
export type DataKeys = (credentials: AwsCredentials, ask: DataKeyAsk) => Promise<ChannelKey>

export interface DataKeysDeps {
  readonly config: Pick<Config['aws'], 'endpoints'>
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
}

const dataKeyBytes = 64
const answerWithinMs = 4000
const mostAttempts = 3
const longestAnswer = 64 * 1024
const contentType = 'application/x-amz-json-1.1'
const operation = 'GenerateDataKey'

/** One operation of KMS by a signed request (JSON 1.1): a client package for it would be the largest of all. */
export function createDataKeys({ config, metrics }: DataKeysDeps): DataKeys {
  return async (credentials, ask) => {
    const labels = { service: 'kms', operation }
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await counted(metrics, labels, () => generate(config, credentials, ask))
      } catch (error) {
        if (attempt >= mostAttempts || !isTransient(error)) throw toKmsError(error, operation, ask.key)
      }
    }
  }
}

async function generate(
  { endpoints }: DataKeysDeps['config'],
  credentials: AwsCredentials,
  { key, context }: DataKeyAsk,
): Promise<ChannelKey> {
  const [, partition = '', , region = ''] = key.split(':')
  const domain = partition === 'aws-cn' ? 'amazonaws.com.cn' : 'amazonaws.com'
  const url = new URL(endpoints.kms ?? endpoints['*'] ?? `https://kms.${region}.${domain}`)
  const body = JSON.stringify({ KeyId: key, NumberOfBytes: dataKeyBytes, EncryptionContext: context })
  const response = await fetch(url, {
    method: 'POST',
    headers: await sign(url, region, credentials, body),
    body,
    redirect: 'error',
    signal: AbortSignal.timeout(answerWithinMs),
  })
  const answer = parse((await response.text()).slice(0, longestAnswer))
  if (!response.ok) throw failure(response.status, answer)
  const [plaintext, ciphertext] = [answer.Plaintext, answer.CiphertextBlob].map((text) =>
    typeof text === 'string' ? new Uint8Array(Buffer.from(text, 'base64')) : undefined,
  )
  if (plaintext?.length !== dataKeyBytes || !ciphertext?.length) throw new Error('KMS answered without a data key')
  return { plaintext, ciphertext }
}

async function sign(
  { host, hostname, pathname: path, protocol }: URL,
  region: string,
  credentials: AwsCredentials,
  body: string,
): Promise<Record<string, string>> {
  const { SignatureV4 } = await import('@smithy/signature-v4')
  const { Sha256 } = await import('@smithy/core/checksum')
  const signer = new SignatureV4({ service: 'kms', region, credentials: toIdentity(credentials), sha256: Sha256 })
  const headers = { host, 'content-type': contentType, 'x-amz-target': `TrentService.${operation}` }
  const signed = await signer.sign({ method: 'POST', protocol, hostname, path, headers, body })
  const { host: _, ...rest } = signed.headers // fetch sets its own
  return rest
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** As the SDK has it: named by the code of the answer. */
function failure(status: number, { __type: type, message, Message }: Readonly<Record<string, unknown>>): Error {
  const error = new Error(String(message ?? Message ?? `HTTP status ${status}`))
  error.name = typeof type === 'string' ? (type.split('#').at(-1) ?? type) : `Http${status}`
  return error
}

/** A network that failed, a throttle, or KMS itself. */
function isTransient(error: unknown): boolean {
  const { name } = error as Error
  return /^(TypeError|TimeoutError|Throttling|LimitExceeded|KMSInternal|DependencyTimeout|Http5)/.test(name)
}
