import { createHmac, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isSameText } from '../../constant-time.ts'
import { listen } from '../../ports/listen.ts'
import { BrokerError, errors } from '../../session.ts'
import { awsInstant } from './aws-instant.ts'

/**
 * Credentials for stock AWS tools, on loopback: the container credentials provider (Authorization token) and, where asked for,
 * an instance metadata service, version 2 only. Follows `AWS_CONTAINER_CREDENTIALS_FULL_URI` of the SDKs and the EC2 user
 * guide, "Use IMDSv2". Left out: every other path of the metadata service.
 */
export interface ServedCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  /** Epoch milliseconds. */
  readonly expiresAt: number
  readonly accountId: string
}

export interface CredentialEndpointOptions {
  /** @throws Error whose message tools may show */
  get(): Promise<ServedCredentials>
  /** What `Authorization` must be, word for word. */
  readonly token: string
  /** Emulates instance metadata, which any process of this machine can read; null: off. */
  readonly imds: { readonly roleName: string } | null
  /** 0: a free one. */
  readonly port: number
  now(): number
  /** A request was refused, or `get` failed. */
  onRefused(why: string): void
}

export interface CredentialEndpoint {
  readonly port: number
  /** For `AWS_CONTAINER_CREDENTIALS_FULL_URI`. */
  readonly containerUrl: string
  /** For `AWS_EC2_METADATA_SERVICE_ENDPOINT`. */
  readonly imdsUrl: string | null
  close(): Promise<void>
}

const containerPath = '/credentials'
const imdsRoles = '/latest/meta-data/iam/security-credentials'
const longestTtlS = 21_600
const headersWithinMs = 5000

interface Answer {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** @throws Error when the port is taken */
export async function openCredentialEndpoint(options: CredentialEndpointOptions): Promise<CredentialEndpoint> {
  const imdsKey = randomBytes(32)
  const server = createServer(
    { headersTimeout: headersWithinMs, requestTimeout: headersWithinMs },
    (request, response) => {
      request.resume() // bodies are ignored
      answer(options, imdsKey, request).then(
        (ready) => send(response, ready),
        (error: unknown) => {
          const { message } = error as Error
          options.onRefused(message)
          // Tools try again after 5xx, which does not help who was denied.
          const isFinal = error instanceof BrokerError && errors[error.code].status < 500
          send(response, problem(isFinal ? 403 : 503, 'CredentialsUnavailable', message))
        },
      )
    },
  )
  await listen(server, { host: '127.0.0.1', port: options.port }, (error) => options.onRefused(error.message))
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  return {
    port,
    containerUrl: `${origin}${containerPath}`,
    imdsUrl: options.imds ? `${origin}/` : null, // older tools put nothing between this and `latest/`
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(options: CredentialEndpointOptions, imdsKey: Buffer, request: IncomingMessage): Promise<Answer> {
  const foreign = foreignReason(request)
  if (foreign) {
    options.onRefused(foreign)
    return problem(403, 'Forbidden', foreign)
  }
  const path = (request.url ?? '').split('?')[0]?.replace(/^\/+/, '/') ?? '' // and newer ones a second slash
  if (path === containerPath) return await answerContainer(options, request)
  if (options.imds) return await answerImds(options, options.imds.roleName, imdsKey, request, path)
  return problem(404, 'NotFound', 'no such path')
}

/** Refuses a browser that was sent here by DNS rebinding, and a proxy that forwards requests from outside. */
function foreignReason({ headers, socket }: IncomingMessage): string {
  const { host = '' } = headers
  const port = socket.localPort
  if (host !== `127.0.0.1:${port}` && host !== `localhost:${port}`) return 'the Host header does not name this endpoint'
  if (headers['x-forwarded-for'] !== undefined) return 'the request was forwarded by a proxy (X-Forwarded-For)'
  return headers.origin === undefined ? '' : 'the request comes from a web page (Origin)'
}

async function answerContainer(options: CredentialEndpointOptions, request: IncomingMessage): Promise<Answer> {
  if (request.method !== 'GET') return problem(405, 'MethodNotAllowed', 'expected GET')
  if (!isSameText(request.headers.authorization ?? '', options.token)) {
    options.onRefused('the Authorization header does not hold the token of this endpoint')
    return problem(401, 'Unauthorized', 'expected AWS_CONTAINER_AUTHORIZATION_TOKEN in the Authorization header')
  }
  const { accessKeyId, secretAccessKey, sessionToken, expiresAt, accountId } = await options.get()
  return json({
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    Token: sessionToken,
    Expiration: awsInstant(expiresAt),
    AccountId: accountId,
  })
}

async function answerImds(
  options: CredentialEndpointOptions,
  roleName: string,
  key: Buffer,
  request: IncomingMessage,
  path: string,
): Promise<Answer> {
  if (path === '/latest/api/token') return issueImdsToken(options, key, request)
  if (request.method !== 'GET') return problem(405, 'MethodNotAllowed', 'expected GET')
  const shown = request.headers['x-aws-ec2-metadata-token']
  if (typeof shown !== 'string' || !isImdsToken(key, shown, options.now()))
    return problem(401, 'Unauthorized', 'expected a token from PUT /latest/api/token')
  if (path === imdsRoles || path === `${imdsRoles}/`) return { status: 200, body: roleName, headers: textType }
  if (path !== `${imdsRoles}/${roleName}`) return problem(404, 'NotFound', 'no such path')
  const { accessKeyId, secretAccessKey, sessionToken, expiresAt } = await options.get()
  return json({
    Code: 'Success',
    LastUpdated: awsInstant(options.now()),
    Type: 'AWS-HMAC',
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    Token: sessionToken,
    Expiration: awsInstant(expiresAt),
  })
}

const textType = { 'content-type': 'text/plain' }

/** Tokens carry their own expiry and a MAC, so that requesting many uses no memory. */
function issueImdsToken(options: CredentialEndpointOptions, key: Buffer, request: IncomingMessage): Answer {
  if (request.method !== 'PUT') return problem(405, 'MethodNotAllowed', 'expected PUT')
  const ttl = request.headers['x-aws-ec2-metadata-token-ttl-seconds']
  const seconds = typeof ttl === 'string' && /^\d{1,5}$/.test(ttl) ? Number(ttl) : 0
  if (seconds < 1 || seconds > longestTtlS)
    return problem(400, 'BadRequest', `expected X-aws-ec2-metadata-token-ttl-seconds of 1 to ${longestTtlS}`)
  const end = String(options.now() + seconds * 1000)
  const body = `${Buffer.from(end).toString('base64url')}.${imdsMac(key, end)}`
  return {
    status: 200,
    body,
    headers: { ...textType, 'x-aws-ec2-metadata-token-ttl-seconds': String(seconds) },
  }
}

function isImdsToken(key: Buffer, token: string, now: number): boolean {
  const [encoded = '', mac = ''] = token.split('.')
  const end = Buffer.from(encoded, 'base64url').toString()
  return isSameText(mac, imdsMac(key, end)) && Number(end) > now
}

function imdsMac(key: Buffer, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url')
}

function json(value: object): Answer {
  return { status: 200, body: JSON.stringify(value), headers: { 'content-type': 'application/json' } }
}

/** In the form that SDKs show of the container endpoint. */
function problem(status: number, code: string, message: string): Answer {
  return { ...json({ code, message }), status }
}

function send(response: ServerResponse, { status, body, headers = {} }: Answer): void {
  response.writeHead(status, { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...headers }).end(body)
}
