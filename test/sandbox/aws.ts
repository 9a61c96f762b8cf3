import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AssumeRoleInput } from './aws/assume-role-input.ts'
import { authenticate } from './aws/authenticate.ts'
import { AwsFault } from './aws/aws-fault.ts'
import { type Caller, type Callers, createCallers } from './aws/callers.ts'
import { createCloudTrail } from './aws/cloudtrail.ts'
import { createFederation, type Federation } from './aws/federation.ts'
import { createIdentityCenter } from './aws/identity-center.ts'
import { createIdentityStore } from './aws/identity-store.ts'
import { createKms, type KmsDouble } from './aws/kms.ts'
import { createOrganizations } from './aws/organizations.ts'
import { createRdsTokenJudge, type RdsTokenJudge } from './aws/rds-token.ts'
import type { Asked, Service } from './aws/service.ts'
import { createServices } from './aws/services.ts'
import { readHeaderSignature, type SignedRequest } from './aws/sigv4.ts'
import { createSqs, type SqsDouble } from './aws/sqs.ts'
import type { World } from './aws/world.ts'
import type { Leaf } from './certificates.ts'
import type { SandboxClock } from './clock.ts'
import { type ArmedFaults, type AwsFaults, createFaults } from './faults.ts'
import { createEksTokenJudge, type EksTokenJudge } from './kubernetes/token-judge.ts'
import { type SsmDouble, startSsm } from './ssm/api.ts'
import type { Exchange } from './wire-models.ts'

/**
 * One endpoint that is STS (AssumeRole, AssumeRoleWithWebIdentity, GetCallerIdentity), IAM's policy versions, roles and simulation, the list of S3's
 * buckets, what reads EC2's instances and regions and EKS's clusters and access entries, Session Manager's part of SSM, data keys of KMS, what reads
 * Organizations, what reads Identity Center and changes assignments and members of groups there, and the console's federation endpoint. A referee: it refuses what AWS refuses (`specs/aws.md` 1, 2 and 8), and
 * remembers every call. Left out: MFA, other actions, resource control policies.
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
  readonly sqs: SqsDouble
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

interface Deps {
  readonly world: World
  readonly callers: Callers
  readonly faults: ArmedFaults
  readonly clock: SandboxClock
  readonly federation: Federation
  readonly services: Readonly<Record<string, Service>>
  readonly onExchange: AwsOptions['onExchange'] | undefined
}

type Draft = { -readonly [K in keyof AwsCall]: AwsCall[K] }

/** SQS takes a mebibyte. */
const maxBodyBytes = 1_200_000

export interface AwsOptions {
  readonly world: World
  readonly clock: SandboxClock
  /** Of Session Manager's message gateway; left out: it speaks no TLS. */
  readonly certificate?: Leaf
  /** Told each call of a service whose wire can be judged, with its answer. */
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
  const sqs = createSqs(reads)
  const deps: Deps = {
    world,
    callers,
    faults,
    clock,
    federation,
    services: createServices(
      { world, callers, isDenied: faults.isDenied },
      {
        cloudtrail: createCloudTrail({ ...reads, callers }),
        ssm,
        kms,
        organizations: createOrganizations(reads),
        sso: createIdentityCenter(reads),
        identitystore: createIdentityStore(reads),
        sqs,
      },
    ),
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
    sqs,
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
  const { name, region } = signedFor(request)
  const service = deps.services[name] ?? deps.services.sts
  if (!service) throw new Error('STS is one of the services')
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  if (request.socket.destroyed) gone.abort() // before anyone listened
  let answer: Omit<ReturnType<Service['error']>, 'text'> & { text: string | Buffer } = { status: 200, text: '' }
  let asked: Asked | undefined
  try {
    const { method = '', url: target = '', headers } = request
    asked = service.read({ method, target, headers, body, region, now: deps.clock.now(), gone: gone.signal })
    Object.assign(call, { action: asked.action, parameters: asked.parameters })
    await passFaults(deps, asked.action)
    const caller = asked.isUnsigned ? null : callerOf(deps, service, name, request, body)
    call.caller = caller?.arn ?? null
    if (caller) await deps.faults.passStall(asked.action, caller.account)
    answer = { status: 200, text: await asked.answer(caller, (more) => Object.assign(call, more)) }
  } catch (error) {
    if (!(error instanceof AwsFault)) throw error
    call.outcome = error.code
    call.reason = error.reason
    answer = service.error(error)
  }
  calls.push(call)
  if (await deps.faults.passAnswer(call.action)) {
    request.socket.destroy()
    return
  }
  const { status, text, type } = answer
  if (asked?.input !== undefined)
    deps.onExchange?.({
      service: service.modelName ?? name,
      operation: asked.action,
      status,
      request: asked.input,
      answer: /json/.test(service.contentType)
        ? { ...JSON.parse(`${text}`), ...(type === undefined ? {} : { __type: type }) }
        : `${text}`,
    })
  if (type !== undefined) response.setHeader('x-amzn-errortype', type)
  const headers = { 'content-type': service.contentType, date: new Date(deps.clock.now()).toUTCString() }
  const length = { 'content-length': Buffer.byteLength(text) }
  response.writeHead(status, { ...headers, ...length }).end(text)
}

/** Unsigned calls are STS's. */
function signedFor(request: IncomingMessage): { readonly name: string; readonly region: string } {
  const [, region = '', name = 'sts'] =
    /Credential=[^/]+\/\d+\/([^/]+)\/([a-z0-9-]+)\//.exec(request.headers.authorization ?? '') ?? []
  return { name, region }
}

/** @throws AwsFault */
async function passFaults({ faults }: Deps, action: string): Promise<void> {
  const failure = faults.failureOf(action)
  if (failure) throw new AwsFault(failure, 403, `${failure} by a fault knob`)
  await faults.passHold(action)
  if (faults.takeThrottle()) throw new AwsFault('Throttling', 400, 'Rate exceeded')
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

function callerOf(
  { world, callers, clock }: Deps,
  { isGlobal }: Service,
  name: string,
  request: IncomingMessage,
  body: Buffer,
): Caller {
  const signed: SignedRequest = {
    method: request.method ?? '',
    target: request.url ?? '',
    headers: pairs(request.rawHeaders),
    body,
  }
  const signature = readHeaderSignature(signed)
  const expected = { service: name, regions: isGlobal ? ['us-east-1'] : world.regions }
  const caller = authenticate(signed, signature, expected, callers, clock.now())
  if (!isGlobal && world.regionsOff?.[caller.account]?.includes(signature.region))
    throw new AwsFault(
      'InvalidClientTokenId',
      403,
      'The security token included in the request is invalid.',
      'the region is off in this account',
    )
  return caller
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
