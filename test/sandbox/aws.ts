import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { assumeRoleAnswer, callerIdentityAnswer, errorAnswer } from './aws/answers.ts'
import { type AssumeRoleDeps, assumeRole } from './aws/assume-role.ts'
import { type AssumeRoleInput, readAssumeRole } from './aws/assume-role-input.ts'
import { authenticate } from './aws/authenticate.ts'
import { AwsFault } from './aws/aws-fault.ts'
import { listBuckets } from './aws/buckets.ts'
import { type Caller, type Callers, createCallers } from './aws/callers.ts'
import { answerEks, eksRoute } from './aws/eks.ts'
import { createFederation, type Federation } from './aws/federation.ts'
import { answerIam } from './aws/iam.ts'
import { createIdentityCenter, type IdentityCenterDouble } from './aws/identity-center.ts'
import { createIdentityStore, type IdentityStoreDouble } from './aws/identity-store.ts'
import { type JsonService, jsonErrorAnswer, jsonServices, readJsonCall } from './aws/json-call.ts'
import { createKms, type KmsDouble } from './aws/kms.ts'
import { createOrganizations, type OrganizationsDouble } from './aws/organizations.ts'
import { createRdsTokenJudge, type RdsTokenJudge } from './aws/rds-token.ts'
import { readHeaderSignature, type SignedRequest } from './aws/sigv4.ts'
import { assumeRoleWithWebIdentity } from './aws/web-identity.ts'
import type { World } from './aws/world.ts'
import type { Leaf } from './certificates.ts'
import type { SandboxClock } from './clock.ts'
import { type ArmedFaults, type AwsFaults, createFaults } from './faults.ts'
import { createEksTokenJudge, type EksTokenJudge } from './kubernetes/token-judge.ts'
import { type SsmDouble, startSsm } from './ssm/api.ts'
import type { Exchange } from './wire-models.ts'

/**
 * One endpoint that is STS (AssumeRole, AssumeRoleWithWebIdentity, GetCallerIdentity), IAM's policy versions, the list of S3's
 * buckets, what reads EKS's clusters and access entries, Session Manager's part of SSM, data keys of KMS, what reads
 * Organizations and Identity Center, and the console's federation endpoint. A referee: it refuses what AWS refuses (`specs/aws.md` 1, 2 and 8), and
 * remembers every call. Left out: MFA, other actions, service control policies.
 */
export interface AwsDouble {
  /** e.g. `http://127.0.0.1:23456`, for `aws.endpoint_url`. */
  readonly url: string
  readonly world: World
  readonly callers: Callers
  /** Oldest first. */
  readonly calls: readonly AwsCall[]
  readonly faults: AwsFaults
  /** For database doubles: the same keys, policies and clock. */
  readonly rdsTokens: RdsTokenJudge
  /** The same for clusters. */
  readonly eksTokens: EksTokenJudge
  /** Sign-ins to the console. */
  readonly federation: Federation
  readonly ssm: SsmDouble
  readonly kms: KmsDouble
  close(): Promise<void>
}

export interface AwsCall {
  /** Epoch milliseconds by the double's clock. */
  readonly at: number
  readonly action: string
  /** ARN of who signed it; null when the signature was not believed. */
  readonly caller: string | null
  readonly parameters: Readonly<Record<string, string>>
  /** Of an AssumeRole whose parameters were within the limits. */
  readonly assumeRole: AssumeRoleInput | null
  /** `ok`, or the error's code. */
  readonly outcome: string
  /** Why it was refused, as AWS wouldn't tell. */
  readonly reason: string
  readonly packedPolicySize: number | null
}

interface Deps extends AssumeRoleDeps {
  readonly faults: ArmedFaults
  readonly clock: SandboxClock
  readonly federation: Federation
  readonly ssm: SsmDouble
  readonly kms: KmsDouble
  readonly organizations: OrganizationsDouble
  readonly sso: IdentityCenterDouble
  readonly identitystore: IdentityStoreDouble
  readonly onExchange: AwsOptions['onExchange'] | undefined
}

type Service = 'sts' | 'iam' | 's3' | 'eks' | JsonService
type Draft = { -readonly [K in keyof AwsCall]: AwsCall[K] }

const maxBodyBytes = 64 * 1024

export interface AwsOptions {
  readonly world: World
  readonly clock: SandboxClock
  /** Of Session Manager's message gateway; left out: it speaks no TLS. */
  readonly certificate?: Leaf
  /** Told each call of a JSON service with its answer. */
  readonly onExchange?: (exchange: Exchange) => void
}

export async function startAws({ world, clock, certificate, onExchange }: AwsOptions): Promise<AwsDouble> {
  const faults = createFaults()
  const callers = createCallers(world)
  const federation = createFederation(callers)
  const kms = createKms({ world, isDenied: faults.isDenied, now: clock.now })
  const parts = { world, callers, kms, isDenied: faults.isDenied, now: clock.now }
  const ssm = await startSsm({ ...parts, ...(certificate ? { certificate } : {}) })
  const reads = { world, isDenied: faults.isDenied, now: clock.now }
  const deps: Deps = {
    world,
    callers,
    faults,
    clock,
    federation,
    ssm,
    kms,
    organizations: createOrganizations(reads),
    sso: createIdentityCenter(reads),
    identitystore: createIdentityStore(reads),
    isDenied: faults.isDenied,
    onExchange,
  }
  const calls: AwsCall[] = []
  const server = createServer((request, response) => {
    serve(deps, calls, request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : new Error(String(error)))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    world,
    callers,
    calls,
    faults,
    federation,
    ssm,
    kms,
    eksTokens: createEksTokenJudge({ callers, now: clock.now }),
    rdsTokens: createRdsTokenJudge({ world, callers, isDenied: faults.isDenied, now: clock.now }),
    close: async () => {
      await ssm.close()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

async function serve(deps: Deps, calls: AwsCall[], request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(request)
  if (await deps.faults.delayOrDrop(request.socket)) return
  const call: Draft = {
    at: deps.clock.now(),
    action: '',
    caller: null,
    parameters: {},
    assumeRole: null,
    outcome: 'ok',
    reason: '',
    packedPolicySize: null,
  }
  if (request.url?.split('?')[0] === '/federation') return answerFederation(deps, call, calls, request, body, response)
  let [status, text] = [200, '']
  const service = serviceOf(request)
  try {
    text = await answerCall(deps, call, service, request, body)
  } catch (error) {
    if (!(error instanceof AwsFault)) throw error
    call.outcome = error.code
    call.reason = error.reason
    ;[status, text] = answerError(service, error)
    if (service === 'eks') response.setHeader('x-amzn-errortype', error.code)
  }
  calls.push(call)
  if (isJson(service))
    deps.onExchange?.({
      service: modelNames[service] ?? service,
      operation: call.action,
      status,
      request: JSON.parse(`${body}`),
      answer: JSON.parse(text),
    })
  const headers = { 'content-type': contentTypes[service], date: new Date(deps.clock.now()).toUTCString() }
  response.writeHead(status, headers).end(text)
}

function answerError(service: Service, error: AwsFault): [status: number, text: string] {
  if (isJson(service)) return jsonErrorAnswer(error)
  if (service === 'eks') return [error.status, JSON.stringify({ message: error.message })]
  return [error.status, errorAnswer(error, forms[service])]
}

const forms = { sts: 'query', iam: 'query', s3: 's3' } as const
const contentTypes = {
  sts: 'text/xml',
  iam: 'text/xml',
  s3: 'application/xml',
  eks: 'application/json',
  ssm: 'application/x-amz-json-1.1',
  kms: 'application/x-amz-json-1.1',
  organizations: 'application/x-amz-json-1.1',
  sso: 'application/x-amz-json-1.1',
  identitystore: 'application/x-amz-json-1.1',
} as const

/** Of models, where another name is signed for. */
const modelNames: Partial<Record<Service, string>> = { sso: 'sso-admin' }

const known = ['iam', 's3', 'eks', ...jsonServices] as const

/** By the scope that it was signed for; unsigned calls are STS's. */
function serviceOf(request: IncomingMessage): Service {
  const service = /Credential=[^/]+\/\d+\/[^/]+\/([a-z0-9-]+)\//.exec(request.headers.authorization ?? '')?.[1]
  return known.find((one) => one === service) ?? 'sts'
}

function isJson(service: Service): service is JsonService {
  return jsonServices.some((one) => one === service)
}

async function answerCall(
  deps: Deps,
  call: Draft,
  service: Service,
  request: IncomingMessage,
  body: Buffer,
): Promise<string> {
  const now = deps.clock.now()
  if (service === 's3') {
    call.action = 'ListBuckets'
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/')
      throw new AwsFault('NotImplemented', 501, 'only ListBuckets is here')
    const caller = callerOf(deps, service, request, body)
    call.caller = caller.arn
    return listBuckets(deps, caller, now)
  }
  if (isJson(service)) return await answerJson(deps, call, service, request, body)
  if (service === 'eks') return await answerRest(deps, call, request, body)
  const parameters = readParameters(request, body)
  call.parameters = Object.fromEntries(parameters)
  call.action = parameters.get('Action') ?? ''
  await passFaults(deps, call.action)
  if (call.action === 'AssumeRoleWithWebIdentity') return await answerWebIdentity(deps, call, parameters)
  const caller = callerOf(deps, service, request, body)
  call.caller = caller.arn
  return service === 'iam'
    ? answerIam(deps, caller, call.action, parameters, now)
    : answerSts(deps, call, caller, parameters)
}

/** @throws AwsFault */
async function passFaults({ faults }: Deps, action: string): Promise<void> {
  const failure = faults.failureOf(action)
  if (failure) throw new AwsFault(failure, 403, `${failure} by a fault knob`)
  await faults.passHold(action)
  if (faults.takeThrottle()) throw new AwsFault('Throttling', 400, 'Rate exceeded')
}

async function answerJson(
  deps: Deps,
  call: Draft,
  service: JsonService,
  request: IncomingMessage,
  body: Buffer,
): Promise<string> {
  const { operation, input, region } = readJsonCall(service, request, body)
  call.action = operation
  call.parameters = Object.fromEntries(
    Object.entries(input).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
  )
  await passFaults(deps, operation)
  const caller = callerOf(deps, service, request, body)
  call.caller = caller.arn
  return JSON.stringify(deps[service].answer(caller, region, operation, input))
}

async function answerRest(deps: Deps, call: Draft, request: IncomingMessage, body: Buffer): Promise<string> {
  const { method = '', url: target = '', headers } = request
  const region = /Credential=[^/]+\/\d+\/([^/]+)\//.exec(headers.authorization ?? '')?.[1] ?? ''
  const { operation, cluster, principalArn } = eksRoute({ method, target })
  call.action = operation
  call.parameters = { name: cluster, principalArn }
  await passFaults(deps, operation)
  const caller = callerOf(deps, 'eks', request, body)
  call.caller = caller.arn
  return JSON.stringify(answerEks(deps, caller, { region, method, target, now: deps.clock.now() }))
}

function answerSts(deps: Deps, call: Draft, caller: Caller, parameters: Map<string, string>): string {
  if (parameters.get('Version') !== '2011-06-15' || !['AssumeRole', 'GetCallerIdentity'].includes(call.action))
    throw new AwsFault(
      'InvalidAction',
      400,
      `Could not find operation ${call.action} for version ${parameters.get('Version')}`,
    )
  if (call.action === 'GetCallerIdentity') return callerIdentityAnswer(caller)
  call.assumeRole = readAssumeRole(parameters)
  const assumed = assumeRole(deps, caller, call.assumeRole, deps.clock.now())
  call.packedPolicySize = assumed.packedPolicySize
  return assumeRoleAnswer(assumed)
}

/** Not signed: the token is all there is. */
async function answerWebIdentity(deps: Deps, call: Draft, parameters: Map<string, string>): Promise<string> {
  const token = parameters.get('WebIdentityToken') ?? ''
  call.parameters = { ...call.parameters, WebIdentityToken: '' }
  for (const name of ['Tags.member.1.Key', 'SourceIdentity', 'ExternalId'])
    if (parameters.has(name)) throw new AwsFault('ValidationError', 400, `${name} is no parameter of this action`)
  call.assumeRole = readAssumeRole(parameters)
  const assumed = await assumeRoleWithWebIdentity(deps, call.assumeRole, token, deps.clock.now())
  call.packedPolicySize = assumed.packedPolicySize
  return assumeRoleAnswer(assumed, 'AssumeRoleWithWebIdentity')
}

function answerFederation(
  { federation, clock }: Deps,
  call: Draft,
  calls: AwsCall[],
  request: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
): void {
  const query = new URLSearchParams(request.method === 'POST' ? body.toString('utf8') : request.url?.split('?')[1])
  const { status, body: text, contentType, location } = federation.answer(query, clock.now())
  call.action = query.get('Action') ?? ''
  call.outcome = status < 400 ? 'ok' : text
  calls.push(call)
  response.writeHead(status, { 'content-type': contentType, ...(location ? { location } : {}) }).end(text)
}

/** Each is one endpoint for the partition, and signs for its first region. */
const globalServices = ['iam', 'organizations']

function callerOf(deps: Deps, service: string, request: IncomingMessage, body: Buffer): Caller {
  const signed: SignedRequest = {
    method: request.method ?? '',
    target: request.url ?? '',
    headers: pairs(request.rawHeaders),
    body,
  }
  const expected = { service, regions: globalServices.includes(service) ? ['us-east-1'] : deps.world.regions }
  return authenticate(signed, readHeaderSignature(signed), expected, deps.callers, deps.clock.now())
}

/** @throws AwsFault MalformedInput for anything but one form in the body of a POST to `/` */
function readParameters(request: IncomingMessage, body: Buffer): Map<string, string> {
  if (request.method !== 'POST' || request.url !== '/')
    throw new AwsFault('MalformedInput', 400, 'this endpoint takes POST / with a form')
  if (!/^application\/x-www-form-urlencoded(;|$)/.test(request.headers['content-type'] ?? ''))
    throw new AwsFault('MalformedInput', 400, 'the body must be application/x-www-form-urlencoded')
  const parameters = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(body.toString('utf8'))) {
    if (parameters.has(name)) throw new AwsFault('MalformedInput', 400, `${name} is given twice`)
    parameters.set(name, value)
  }
  return parameters
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > maxBodyBytes) throw new Error('the body is too large')
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

function pairs(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, index) => [raw[2 * index] ?? '', raw[2 * index + 1] ?? ''])
}
