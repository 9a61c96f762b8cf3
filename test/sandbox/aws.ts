import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { assumeRoleAnswer, callerIdentityAnswer, errorAnswer } from './aws/answers.ts'
import { type AssumeRoleDeps, assumeRole } from './aws/assume-role.ts'
import { type AssumeRoleInput, readAssumeRole } from './aws/assume-role-input.ts'
import { authenticate } from './aws/authenticate.ts'
import { AwsFault } from './aws/aws-fault.ts'
import { type Caller, type Callers, createCallers } from './aws/callers.ts'
import { createRdsTokenJudge, type RdsTokenJudge } from './aws/rds-token.ts'
import { readHeaderSignature, type SignedRequest } from './aws/sigv4.ts'
import type { World } from './aws/world.ts'
import type { SandboxClock } from './clock.ts'
import { type ArmedFaults, type AwsFaults, createFaults } from './faults.ts'

/**
 * One endpoint that is STS: AssumeRole and GetCallerIdentity of the query protocol, version 2011-06-15. A referee: it refuses
 * what AWS refuses (`specs/aws.md` 1 and 2), and remembers every call. Left out: managed session policies, MFA, other actions,
 * service control policies.
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
}

type Draft = { -readonly [K in keyof AwsCall]: AwsCall[K] }

const maxBodyBytes = 64 * 1024

export async function startAws(options: { world: World; clock: SandboxClock }): Promise<AwsDouble> {
  const { world, clock } = options
  const faults = createFaults()
  const callers = createCallers(world)
  const deps: Deps = { world, callers, faults, clock, isDenied: faults.isDenied }
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
    rdsTokens: createRdsTokenJudge({ world, callers, isDenied: faults.isDenied, now: clock.now }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
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
  let [status, xml] = [200, '']
  try {
    xml = answerCall(deps, call, request, body)
  } catch (error) {
    if (!(error instanceof AwsFault)) throw error
    call.outcome = error.code
    call.reason = error.reason
    ;[status, xml] = [error.status, errorAnswer(error)]
  }
  calls.push(call)
  response.writeHead(status, { 'content-type': 'text/xml', date: new Date(deps.clock.now()).toUTCString() }).end(xml)
}

function answerCall(deps: Deps, call: Draft, request: IncomingMessage, body: Buffer): string {
  const parameters = readParameters(request, body)
  call.parameters = Object.fromEntries(parameters)
  call.action = parameters.get('Action') ?? ''
  if (deps.faults.takeThrottle()) throw new AwsFault('Throttling', 400, 'Rate exceeded')
  const caller = callerOf(deps, request, body)
  call.caller = caller.arn
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

function callerOf(deps: Deps, request: IncomingMessage, body: Buffer): Caller {
  const signed: SignedRequest = {
    method: request.method ?? '',
    target: request.url ?? '',
    headers: pairs(request.rawHeaders),
    body,
  }
  const expected = { service: 'sts', regions: deps.world.regions }
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
