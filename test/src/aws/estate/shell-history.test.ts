/** Sessions on an instance, as Session Manager lists them: those that run and those that are over, in pages. */
import t from 'tap'
import { createShellHistoryReader } from '../../../../src/aws/estate/shell-history.ts'
import { createSessionManagers } from '../../../../src/aws/session-manager.ts'
import { findRole } from '../../../sandbox/aws/world.ts'
import { arns, bastions } from '../../../sandbox/default-world.ts'
import { signal } from '../hub-setup.ts'
import { place, startEstate } from './estate-setup.ts'

const document = 'Sallyport-PortDatabase'
const parameters = { host: 'orders.abc123.eu-west-1.rds.amazonaws.com', portNumber: '5432' }

t.test('all of them, on this instance alone, with who and why', async (t) => {
  const { deps, aws, world } = await startEstate(t)
  const role = findRole(world, arns.reach)
  if (!role) throw new Error('there is such a role')
  const now = Date.now()
  const { accessKeyId, secretAccessKey, session, arn } = aws.callers.issue(role, {
    ...{ roleArn: role.arn, name: 'sp-alice', issuedAt: now, expiresAt: now + 3_600_000, policy: null },
    ...{ tags: {}, transitiveTagKeys: [], sourceIdentity: null, isChained: true },
  })
  const keys = { accessKeyId, secretAccessKey, sessionToken: session?.token ?? '', expiresAt: now + 3_600_000 }
  const ssm = createSessionManagers({ config: { endpoints: { ssm: aws.url } }, metrics: deps.metrics })(
    place.region,
    async () => keys,
  )
  const ids: string[] = []
  for (const reason of ['sallyport ses_1', 'another', 'a third'])
    ids.push((await ssm.start({ target: bastions.first, document, parameters, reason })).sessionId)
  await ssm.start({ target: bastions.second, document, parameters })
  await ssm.terminate(ids[1] ?? '')
  const read = createShellHistoryReader(deps)
  const range = { since: now - 60_000, until: now + 60_000 }
  const { sessions, isWhole } = await read(place, bastions.first, range, signal)
  t.ok(isWhole)
  t.same(sessions.map(({ awsSessionId }) => awsSessionId).sort(), ids.sort())
  t.ok(sessions.every(({ owner }) => owner === arn))
  t.same(sessions.map(({ reason }) => reason).sort(), ['a third', 'another', 'sallyport ses_1'])
  const ended = sessions.filter(({ endedAt }) => endedAt !== null)
  t.match(ended, [{ reason: 'another', endedAt: Number }])
  t.match(await read(place, bastions.first, { since: 0, until: now - 3_600_000 }, signal), { sessions: [] })
  aws.faults.deny('ssm:DescribeSessions')
  await t.rejects(read(place, bastions.first, range, signal), { code: 'AWS_DENIED', hint: /--feature discovery/ })
})
