import type { SessionDocument, SessionManager } from '../../aws/session-manager.ts'
import { toSessionName } from '../../aws/session-names.ts'
import type { SessionDocumentPart } from '../../catalog/policy-part.ts'
import type { TargetCheck } from '../../contract/aws.ts'
import { idTokensOf } from '../../identity/id-tokens.ts'
import type { KnownSession } from '../../sessions/session-kinds.ts'
import { fail, failedAt, ok, warn } from '../checks.ts'
import { type AgentNeed, checkInstance } from '../instance-checks.ts'
import type { KindParts } from '../module.ts'

const otherHosts: AgentNeed = { version: '3.1.1374', what: 'tunnels to other hosts' }
/** The shortest that STS gives. */
const credentialsMs = 900_000

/** That instances lead to. */
interface Reached {
  readonly partition: string
  readonly account: string
  readonly region: string
  readonly via: readonly string[]
}

type Parts = Pick<KindParts, 'aws' | 'clock' | 'config' | 'identity' | 'sessionManagers'>

/** Whether tunnels through the instances of a target would open: role, instances, session document. No tunnel is opened. */
export async function validateVia(
  parts: Parts,
  session: Pick<KnownSession, 'facts' | 'credential'>,
  target: Reached,
  document: SessionDocumentPart,
): Promise<TargetCheck[]> {
  const { aws, clock, config, identity, sessionManagers } = parts
  const { partition, account, region, via } = target
  const { facts, credential } = session
  const role = `arn:${partition}:iam::${account}:role/${config.aws.reachRole}`
  const person = facts.principalName
  try {
    const credentials = await aws.session({
      ...{ partition, account, role, person, namePrefix: 'sp-', grantId: facts.grantId, requestId: facts.requestId },
      policy: JSON.stringify(policyFor(target, document)),
      until: clock.now() + credentialsMs,
      idToken: idTokensOf(identity, credential),
    })
    const manager = sessionManagers(region, async () => credentials)
    const found = await Promise.all(via.map((instance) => checkInstance(manager, instance, [otherHosts])))
    return [
      ok('tunnel role', `${role} was assumed as ${toSessionName(`sp-${person}`)}`),
      ...withFailover(found),
      await documentCheck(manager, document),
    ]
  } catch (error) {
    return [failedAt('tunnel role', error, 'run: sallyport aws validate')]
  }
}

/** The next instance is used where one does not work. */
function withFailover(found: readonly (readonly TargetCheck[])[]): TargetCheck[] {
  const works = found.some((checks) => checks.every(({ outcome }) => outcome !== 'fail'))
  return found
    .flat()
    .map((check) => (works && check.outcome === 'fail' ? warn(check.check, check.detail, check.fix ?? '') : check))
}

async function documentCheck(
  manager: Pick<SessionManager, 'document'>,
  wanted: SessionDocumentPart,
): Promise<TargetCheck> {
  const { name } = wanted
  const check = `document ${name}`
  let found: SessionDocument
  try {
    found = await manager.document(name)
  } catch (error) {
    const { detail, fix } = failedAt(check, error, 'run: sallyport aws policies')
    return warn(check, `it cannot be looked at: ${detail}`, fix ?? '')
  }
  return judgePortDocument(found.content, wanted)
}

const prepareIt = 'run what is printed by: sallyport aws prepare RESOURCE'

/** A document that names the targets of the account more closely is as good as ours. */
export function judgePortDocument(content: string, ours: SessionDocumentPart): TargetCheck {
  const check = `document ${ours.name}`
  const wanted = toMembers(ours.content)
  const { sessionType, parameters, properties } = read(content)
  if (sessionType !== 'Port') return fail(check, `it has the type ${String(sessionType)}`, prepareIt)
  const leads = toMembers(properties)
  for (const [name, value] of Object.entries(toMembers(wanted.properties)))
    if (leads[name] !== value) return fail(check, `its ${name} is not ${String(value)}`, prepareIt)
  const patterns = ['host', 'portNumber'].map((name) => ({
    name,
    found: toMembers(toMembers(parameters)[name]).allowedPattern,
    ours: toMembers(toMembers(wanted.parameters)[name]).allowedPattern,
  }))
  const open = patterns.find(({ found }) => typeof found !== 'string' || found === '')
  if (open) return fail(check, `it allows any ${open.name}: its tunnels would lead anywhere`, prepareIt)
  const other = patterns.find(({ found, ours }) => found !== ours)
  if (!other) return ok(check, 'it leads where ours does, and nowhere else')
  return warn(
    check,
    `its ${other.name} has a pattern of its own, ${String(other.found)}`,
    'check that it begins with ^, ends with $, and allows nothing but what it is for',
  )
}

type Members = Readonly<Record<string, unknown>>

function read(content: string): Members {
  try {
    return toMembers(JSON.parse(content))
  } catch {
    return {}
  }
}

function toMembers(value: unknown): Members {
  return typeof value === 'object' && value !== null ? (value as Members) : {}
}

function policyFor({ partition, account, region }: Reached, { name }: SessionDocumentPart): object {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 'ssm:GetDocument',
        Resource: `arn:${partition}:ssm:${region}:${account}:document/${name}`,
      },
      { Effect: 'Allow', Action: 'ssm:DescribeInstanceInformation', Resource: '*' },
    ],
  }
}
