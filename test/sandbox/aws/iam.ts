import { answer, type Xml } from './answers.ts'
import { because, callerContext, refusal } from './authorize.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'
import { type RoleAction, roleActions } from './iam-roles.ts'
import { PolicyError, parsePolicy } from './policy.ts'
import type { ManagedPolicy, PolicyDocument, PolicyVersion, World } from './world.ts'

/**
 * IAM's actions on versions of managed policies (query protocol, version 2010-05-08), with their limits: five versions, 6,144
 * characters without blanks, the default version can't be deleted; and those of iam-roles.ts. Left out: every other action.
 */
export interface IamDeps {
  readonly world: World
  isDenied(action: string): boolean
}

type Parameters = ReadonlyMap<string, string>
type Action = (policy: ManagedPolicy, parameters: Parameters, now: number) => readonly Xml[] | null

const mostVersions = 5
const longestDocument = 6144

const actions: Readonly<Record<string, Action>> = {
  GetPolicy: (policy) => [['Policy', describePolicy(policy)]],
  GetPolicyVersion: (policy, parameters) => {
    const version = findVersion(policy, parameters)
    const document: Xml = ['Document', encodeURIComponent(JSON.stringify(version.document))]
    return [['PolicyVersion', [document, ...describeVersion(policy, version)]]]
  },
  ListPolicyVersions: (policy) => [
    ['Versions', policy.versions.toReversed().map((version): Xml => ['member', describeVersion(policy, version)])],
    ['IsTruncated', 'false'],
  ],
  CreatePolicyVersion: createVersion,
  DeletePolicyVersion: (policy, parameters) => {
    const version = findVersion(policy, parameters)
    if (version.id === policy.defaultVersion)
      throw new AwsFault('DeleteConflict', 409, 'Cannot delete the default version of a policy.')
    policy.versions = policy.versions.filter((one) => one !== version)
    return null
  },
  SetDefaultPolicyVersion: (policy, parameters) => {
    policy.defaultVersion = findVersion(policy, parameters).id
    return null
  },
}

/** @throws AwsFault InvalidAction, AccessDenied, NoSuchEntity, LimitExceeded, MalformedPolicyDocument, DeleteConflict */
export function answerIam(deps: IamDeps, caller: Caller, action: string, parameters: Parameters, now: number): string {
  const run = actions[action]
  const ofRole: RoleAction | undefined = roleActions[action]
  if (!(run || ofRole) || parameters.get('Version') !== '2010-05-08')
    throw new AwsFault('InvalidAction', 400, `Could not find operation ${action}`)
  const arn = ofRole ? ofRole.resource(deps.world, caller, parameters) : (parameters.get('PolicyArn') ?? '')
  const name = `iam:${action}`
  const access = { action: name, resource: arn, context: callerContext(deps.world, caller, now, arn) }
  const why = deps.isDenied(name) ? 'denied by a fault knob' : refusal(deps.world, caller, access)
  if (why) {
    const resource = ofRole ? arn : `policy ${arn}`
    const message = `User: ${caller.arn} is not authorized to perform: ${name} on resource: ${resource}${because(why, name)}`
    throw new AwsFault('AccessDenied', 403, message, why)
  }
  if (ofRole) return answer(action, ofRole.run(deps, caller, parameters, now), 'iam')
  const policy = deps.world.managedPolicies.find((one) => one.arn === arn)
  if (!policy) throw new AwsFault('NoSuchEntity', 404, `Policy ${arn} does not exist or is not attachable.`)
  return answer(action, run?.(policy, parameters, now) ?? null, 'iam')
}

function createVersion(policy: ManagedPolicy, parameters: Parameters, now: number): readonly Xml[] {
  const text = parameters.get('PolicyDocument') ?? ''
  if (text.replaceAll(/\s/g, '').length > longestDocument)
    throw new AwsFault('LimitExceeded', 409, `Cannot exceed quota for PolicySize: ${longestDocument}`)
  if (policy.versions.length >= mostVersions)
    throw new AwsFault(
      'LimitExceeded',
      409,
      'A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.',
    )
  const version = { id: `v${policy.next}`, document: readDocument(text), createdAt: now }
  policy.next += 1
  policy.versions.push(version)
  if (parameters.get('SetAsDefault') === 'true') policy.defaultVersion = version.id
  return [['PolicyVersion', describeVersion(policy, version)]]
}

function readDocument(text: string): PolicyDocument {
  try {
    const document = JSON.parse(text) as PolicyDocument
    parsePolicy(document, 'identity')
    return document
  } catch (error) {
    if (error instanceof PolicyError || error instanceof SyntaxError)
      throw new AwsFault('MalformedPolicyDocument', 400, 'Syntax errors in policy.', error.message)
    throw error
  }
}

function findVersion(policy: ManagedPolicy, parameters: Parameters): PolicyVersion {
  const id = parameters.get('VersionId')
  const version = policy.versions.find((one) => one.id === id)
  if (!version) throw new AwsFault('NoSuchEntity', 404, `Policy ${policy.arn} version ${id} does not exist.`)
  return version
}

function describePolicy({ arn, defaultVersion, versions }: ManagedPolicy): readonly Xml[] {
  return [
    ['PolicyName', arn.slice(arn.lastIndexOf('/') + 1)],
    ['PolicyId', 'ANPASANDBOX0000000001'],
    ['Arn', arn],
    ['Path', `/${arn.split('policy/')[1]?.split('/').slice(0, -1).join('/') ?? ''}/`],
    ['DefaultVersionId', defaultVersion],
    ['AttachmentCount', '0'],
    ['IsAttachable', 'true'],
    ['CreateDate', instant(versions[0]?.createdAt ?? 0)],
  ]
}

function describeVersion(policy: ManagedPolicy, { id, createdAt }: PolicyVersion): readonly Xml[] {
  return [
    ['VersionId', id],
    ['IsDefaultVersion', String(id === policy.defaultVersion)],
    ['CreateDate', instant(createdAt)],
  ]
}

const instant = (at: number) => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
