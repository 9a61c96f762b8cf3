/** The services of the double, by the name that requests are signed for. */
import { assumeRoleAnswer, callerIdentityAnswer, ec2ErrorAnswer, errorAnswer } from './answers.ts'
import { type AssumeRoleDeps, assumeRole } from './assume-role.ts'
import { readAssumeRole } from './assume-role-input.ts'
import { AwsFault } from './aws-fault.ts'
import { listBuckets } from './buckets.ts'
import type { Caller } from './callers.ts'
import { answerEc2 } from './ec2.ts'
import { answerEks, eksInput, eksRoute } from './eks.ts'
import { answerIam } from './iam.ts'
import { type JsonService, jsonErrorAnswer, jsonType, readJsonCall } from './json-call.ts'
import { getObject } from './objects.ts'
import { answerRds } from './rds.ts'
import { type Asked, readForm, type Service, type WireCall } from './service.ts'
import { assumeRoleWithWebIdentity } from './web-identity.ts'

type JsonDoubles = Readonly<
  Record<
    JsonService,
    {
      answer(
        caller: Caller,
        region: string,
        operation: string,
        input: Readonly<Record<string, unknown>>,
        gone: AbortSignal,
      ): object | Promise<object>
    }
  >
>

/** Unsigned requests are STS's. */
export function createServices(deps: AssumeRoleDeps, doubles: JsonDoubles): Readonly<Record<string, Service>> {
  const json = (name: JsonService): Service => ({
    contentType: jsonType(name),
    read: (call) => {
      const { operation, input, region } = readJsonCall(name, call)
      const texts = Object.entries(input).map(([key, value]) => [
        key,
        typeof value === 'string' ? value : JSON.stringify(value),
      ])
      return {
        action: operation,
        parameters: Object.fromEntries(texts),
        input,
        answer: async (caller) =>
          JSON.stringify(await doubles[name].answer(known(caller), region, operation, input, call.gone)),
      }
    },
    error: (fault) => jsonErrorAnswer(fault),
  })
  return {
    sts: sts(deps),
    iam: {
      ...form((parameters, caller, action, { now }) => answerIam(deps, caller, action, parameters, now)),
      isGlobal: true,
    },
    ec2: {
      ...form((parameters, caller, _action, { region, now }) => answerEc2(deps, caller, { parameters, region, now })),
      error: (fault) => ec2ErrorAnswer(fault),
    },
    rds: form((parameters, caller, _action, { region, now }) => answerRds(deps, caller, { parameters, region, now })),
    s3: {
      contentType: 'application/xml',
      read: ({ method, target, now }) => {
        const [path = ''] = target.split('?')
        if (method !== 'GET') throw new AwsFault('NotImplemented', 501, 'only ListBuckets and GetObject are here')
        if (path !== '/')
          return { action: 'GetObject', parameters: {}, answer: (caller) => getObject(deps, known(caller), path, now) }
        return { action: 'ListBuckets', parameters: {}, answer: (caller) => listBuckets(deps, known(caller), now) }
      },
      error: (fault) => ({ status: fault.status, text: errorAnswer(fault, 's3') }),
    },
    eks: {
      contentType: 'application/json',
      read: ({ method, target, region, now }) => {
        const route = eksRoute({ method, target })
        const { operation, cluster, principalArn, query } = route
        const parameters = { name: cluster, principalArn, ...Object.fromEntries(query) }
        return {
          action: operation,
          parameters,
          input: eksInput(route),
          answer: (caller) => JSON.stringify(answerEks(deps, known(caller), { region, method, target, now })),
        }
      },
      error: ({ status, message, code }) => ({ status, text: JSON.stringify({ message }), type: code }),
    },
    cloudtrail: json('cloudtrail'),
    ssm: json('ssm'),
    kms: json('kms'),
    organizations: { ...json('organizations'), isGlobal: true },
    sso: { ...json('sso'), modelName: 'sso-admin' },
    identitystore: json('identitystore'),
    sqs: json('sqs'),
  }
}

type AnswerForm = (parameters: Map<string, string>, caller: Caller, action: string, call: WireCall) => string

/** Of the query protocol. */
function form(answer: AnswerForm): Service {
  return {
    contentType: 'text/xml',
    read: (call) => {
      const parameters = readForm(call)
      const action = parameters.get('Action') ?? ''
      const input = Object.fromEntries(parameters)
      return { action, parameters: input, input, answer: (caller) => answer(parameters, known(caller), action, call) }
    },
    error: (fault) => ({ status: fault.status, text: errorAnswer(fault) }),
  }
}

function sts(deps: AssumeRoleDeps): Service {
  const plain = form(() => '')
  return {
    ...plain,
    read: (call) => {
      const { action, parameters: given } = plain.read(call)
      const parameters = new Map(Object.entries(given))
      const { now } = call
      if (action === 'AssumeRoleWithWebIdentity') return webIdentity(deps, parameters, now)
      const answer: Asked['answer'] = (signer, note) => {
        const caller = known(signer)
        if (given.Version !== '2011-06-15' || !['AssumeRole', 'GetCallerIdentity'].includes(action))
          throw new AwsFault(
            'InvalidAction',
            400,
            `Could not find operation ${action} for version ${given.Version ?? ''}`,
          )
        if (action === 'GetCallerIdentity') return callerIdentityAnswer(caller)
        const input = readAssumeRole(parameters)
        note({ assumeRole: input })
        const assumed = assumeRole(deps, caller, input, now)
        note({ packedPolicySize: assumed.packedPolicySize })
        return assumeRoleAnswer(assumed)
      }
      return { action, parameters: given, answer }
    },
  }
}

/** Not signed: the token is all there is. */
function webIdentity(deps: AssumeRoleDeps, parameters: Map<string, string>, now: number): Asked {
  const action = 'AssumeRoleWithWebIdentity'
  const token = parameters.get('WebIdentityToken') ?? ''
  return {
    action,
    parameters: { ...Object.fromEntries(parameters), WebIdentityToken: '' },
    isUnsigned: true,
    answer: async (_caller, note) => {
      for (const name of ['Tags.member.1.Key', 'SourceIdentity', 'ExternalId'])
        if (parameters.has(name)) throw new AwsFault('ValidationError', 400, `${name} is no parameter of this action`)
      const input = readAssumeRole(parameters)
      note({ assumeRole: input })
      const assumed = await assumeRoleWithWebIdentity(deps, input, token, now)
      note({ packedPolicySize: assumed.packedPolicySize })
      return assumeRoleAnswer(assumed, action)
    },
  }
}

function known(caller: Caller | null): Caller {
  if (caller === null) throw new Error('it is signed')
  return caller
}
