/** Preflight: what EKS says of a cluster and of the role of a level, and what the cluster says to a token of that role. */
import { BrokerError, type Lease } from '../../../proxy/session.ts'
import { toTargetError } from '../../../proxy/streams/dial-errors.ts'
import { heldBy } from '../../catalog/kind.ts'
import type { TargetCheck } from '../../contract/aws.ts'
import type { Preflight } from '../../sessions/preflights.ts'
import { failedAt, ok, someOf, warn } from '../checks.ts'
import type { KindParts } from '../module.ts'
import { AccessEntries, type AccessEntry } from './access-entries.ts'
import { neededRights } from './cluster-rights.ts'
import { type ClusterPlace, deleteEntry } from './commands.ts'
import type { ClusterFacts, Clusters, DescribeSession } from './describe.ts'
import { auditLogCheck, entryChecks, knownAsCheck, type MappedRole, modeCheck, signInCheck } from './entry-checks.ts'
import { eksCluster } from './kind.ts'
import { roleArn } from './lease.ts'
import type { ClusterLevel } from './level.ts'
import { rightsChecks } from './rights-checks.ts'
import { ClusterReviews, type SignIn } from './sign-in.ts'
import type { ClusterTarget } from './target.ts'

type Parts = Pick<KindParts, 'access' | 'config' | 'metrics'> & {
  readonly clusters: Pick<Clusters, 'now' | 'entryReader'>
}

/** The levels of the cluster, by the roles that they name. */
interface Roles {
  /** ARN of the one in question. */
  readonly role: string
  /** Those that name it. */
  readonly sharing: readonly (readonly [name: string, level: ClusterLevel])[]
  /** ARNs of all. */
  readonly all: readonly string[]
}

export async function validateCluster(
  preflight: Preflight,
  session: DescribeSession,
  parts: Parts,
): Promise<TargetCheck[]> {
  const { target, level } = heldBy(eksCluster, preflight.held)
  const roles = rolesOf(parts, preflight, roleArn(target, level))
  let lease: Lease
  try {
    lease = await preflight.lease()
  } catch (error) {
    return [failedAt('AWS', error, 'run: sallyport aws validate')]
  }
  const checks = [ok('AWS', `a token for ${lease.user} was made`), ...sharedCheck(roles)]
  const rules = roles.sharing.flatMap(([, shared]) => shared.rules)
  const mapped: MappedRole = { place: target, role: roles.role, needs: neededRights(rules) }
  const read = await readEntries(parts, session, target, roles.role)
  const reviews = new ClusterReviews(preflight, lease)
  try {
    const signIn = await reviews.signIn()
    if (signIn.isMapped) await preflight.started({ role: roles.role })
    checks.push(...judged(mapped, signIn, read))
    if (signIn.isMapped) checks.push(...(await rightsChecks(reviews, rules)))
  } catch (error) {
    const broken = toTargetError(preflight.signal.aborted ? preflight.signal.reason : error)
    checks.push(failedAt('connection', broken, 'check that the network of the broker reaches the API server'))
    checks.push(...(read.facts ? [modeCheck(target, read.facts)] : []))
  } finally {
    reviews.close()
  }
  if (read.facts) checks.push(auditLogCheck(target, read.facts))
  checks.push(
    ...read.checks,
    ...(await leftOver(parts, session, target, roles, read)),
    ...(await twins(parts, session, target, roles.role)),
  )
  return checks
}

function judged(mapped: MappedRole, signIn: SignIn, { facts, entry }: Read): TargetCheck[] {
  const byAwsAuth = entry ? [] : knownAsCheck(signIn.username, 'preflight')
  return [
    ...(facts ? [modeCheck(mapped.place, facts)] : []),
    signInCheck(mapped, signIn, entry),
    ...(entry === undefined ? [] : entryChecks(mapped, entry, signIn.isMapped)),
    ...byAwsAuth,
  ]
}

/** What EKS said. */
interface Read {
  readonly facts: ClusterFacts | null
  /** Null: there is none; undefined: it could not be read, or the mode has none. */
  readonly entry: AccessEntry | null | undefined
  readonly checks: readonly TargetCheck[]
}

async function readEntries(
  { clusters, ...parts }: Parts,
  session: DescribeSession,
  target: ClusterTarget,
  role: string,
): Promise<Read> {
  let facts: ClusterFacts | null = null
  try {
    facts = await clusters.now(target, session)
    if (facts.authenticationMode === 'CONFIG_MAP') return { facts, entry: undefined, checks: [] }
    return { facts, entry: await entriesOf({ ...parts, clusters }, session, target).find(role), checks: [] }
  } catch (error) {
    if (facts && isPersonal(parts, target.account) && isDenied(error))
      return { facts, entry: undefined, checks: [unreadable(target)] }
    return { facts, entry: undefined, checks: [failedAt('access entry', error, 'run: sallyport aws policies')] }
  }
}

function entriesOf({ clusters, config, metrics }: Parts, session: DescribeSession, place: ClusterPlace): AccessEntries {
  return new AccessEntries({ config, metrics, credentials: (of) => clusters.entryReader(of, session) }, place)
}

function unreadable({ account }: ClusterTarget): TargetCheck {
  const why = `account ${account} takes ID tokens alone, and lets nobody read access entries by them: username, policies and entries that are left over are not checked`
  const fix =
    'allow it (sallyport aws policies --trust web_identity), or compare them with what sallyport aws prepare prints'
  return warn('access entry', why, fix)
}

function isDenied(error: unknown): boolean {
  return error instanceof BrokerError && error.code === 'AWS_DENIED'
}

function isPersonal({ config }: Pick<Parts, 'config'>, account: string): boolean {
  return config.aws.accounts[account]?.trust === 'web_identity'
}

function rolesOf({ access }: Parts, { held }: Preflight, role: string): Roles {
  const entry = access.resource(held.resource.id)
  const levels = entry ? [...access.levelsOf(entry)] : []
  const named = levels.map(([name, level]) => {
    const { target, level: of } = heldBy(eksCluster, { ...held, level })
    return [name, of, roleArn(target, of)] as const
  })
  return {
    role,
    sharing: named.filter(([, , arn]) => arn === role).map(([name, level]) => [name, level] as const),
    all: named.map(([, , arn]) => arn),
  }
}

function sharedCheck({ role, sharing }: Roles): TargetCheck[] {
  if (sharing.length < 2) return []
  const names = sharing.map(([name]) => name)
  return [warn('role', `${names.join(', ')} name ${role}: the cluster cannot tell them apart`, 'name a role for each')]
}

/** Of usernames as `aws prepare` prints them. */
const ours = 'sallyport:'
const mostRead = 50

/** Entries that were made for levels which are there no more. */
async function leftOver(
  parts: Parts,
  session: DescribeSession,
  target: ClusterTarget,
  { all }: Roles,
  { facts, entry }: Read,
): Promise<TargetCheck[]> {
  if (!facts || entry === undefined) return []
  const reader = entriesOf(parts, session, target)
  try {
    const others = (await reader.principals()).filter((arn) => /:role\//.test(arn) && !all.includes(arn))
    const found: AccessEntry[] = []
    for (const arn of others.slice(0, mostRead)) {
      const other = await reader.find(arn)
      if (other?.username.startsWith(ours)) found.push(other)
    }
    return found.map(({ principalArn }) =>
      warn(
        'left over',
        `an access entry maps ${principalArn}, which no level names`,
        deleteEntry(target, principalArn),
      ),
    )
  } catch (error) {
    return [failedAt('other access entries', error, 'run: sallyport aws policies')]
  }
}

/**
 * A token is for the name of a cluster, whatever account and region it is in: another one of that name, where the role is mapped too, takes it for
 * fifteen minutes.
 */
async function twins(
  parts: Parts,
  session: DescribeSession,
  target: ClusterTarget,
  role: string,
): Promise<TargetCheck[]> {
  const unread: string[] = []
  const found: TargetCheck[] = []
  for (const twin of twinPlaces(parts, target)) {
    const where = `${twin.cluster} in ${twin.account} ${twin.region}`
    try {
      if ((await entriesOf(parts, session, twin).find(role)) === null) continue
      const fix = `name other roles for one of them, or: ${deleteEntry(twin, role)}`
      found.push(
        warn('twin', `the cluster ${where} maps ${role} too: each takes tokens that were made for the other`, fix),
      )
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error
      unread.push(where)
    }
  }
  const unsure = `whether the role is mapped by ${someOf(unread)} too cannot be read`
  const fix = 'make sure that it is not, or let the broker read it: sallyport aws policies'
  return unread.length === 0 ? found : [...found, warn('twin', unsure, fix)]
}

function twinPlaces({ access, config }: Pick<Parts, 'access' | 'config'>, target: ClusterTarget): ClusterPlace[] {
  const { account, region, cluster } = target
  const known = access
    .resourcesKnown()
    .filter(({ kind }) => kind === eksCluster.name)
    .map((resource) => heldBy(eksCluster, { resource, target: resource.target, level: null }).target)
    .filter((other) => other.cluster === cluster)
  const elsewhere = config.aws.regions.map((other) => ({ ...target, region: other }))
  const places = [...known, ...elsewhere].filter((one) => one.account !== account || one.region !== region)
  return [...new Map(places.map((one) => [`${one.account} ${one.region}`, one])).values()]
}
