import t from 'tap'
import { clusterId } from '../sandbox/daemon-files.ts'
import { skipWithoutKubectl } from '../sandbox/programs.ts'
import { waitUntil } from '../wait-until.ts'
import { kubectlOf } from './cluster-kubectl.ts'
import { startCompany } from './company.ts'

t.setTimeout(360_000)

t.test(
  'K-5, §8.4: kubectl at the broker, with a watch and logs where the grant ends',
  { skip: skipWithoutKubectl() },
  async (t) => {
    const company = await startCompany({ sandbox: { cluster: true } })
    t.teardown(() => company.close())
    const { cluster } = company.sandbox
    if (!cluster) throw new Error('there is no cluster')
    const grant = await company.grant(3_600_000, clusterId)
    const { run: kubectl } = await kubectlOf(t, company, 'readonly')

    const pods = await kubectl('get', 'pods').ended
    t.match(pods, { code: 0, stdout: /^NAME +STATUS\nweb-1 +Running\n$/ }, pods.stderr)
    const asked = cluster.audit.find(({ url }) => url.startsWith('/api/v1/namespaces/shop/pods'))
    t.match(asked?.user, /:assumed-role\/web-view\/alice=40example\.com$/, 'the cluster knows the person')
    t.equal(asked?.headers['x-forwarded-for'], '127.0.0.1')

    const secrets = await kubectl('get', 'secrets').ended
    t.equal(secrets.code, 1)
    t.match(
      secrets.stderr,
      /Sallyport: access was not granted: the access level "readonly" does not allow it: it needs "list" on secrets/,
    )
    t.notOk(
      cluster.audit.some(({ url }) => url.includes('/secrets')),
      'the cluster was not asked',
    )

    const as = await kubectl('get', 'pods', '--as', 'bob').ended
    t.equal(as.code, 1)
    t.match(as.stderr, /impersonation \(kubectl --as\) is not possible/)

    const watch = kubectl('get', 'pods', '--watch')
    await watch.prints(/web-1/)
    const follow = kubectl('logs', '-f', 'web-1')
    await follow.prints(/web-1 has started/)
    cluster.say('web-1', 'hello from the pod')
    await follow.prints(/hello from the pod/)
    await waitUntil(() => cluster.streaming === 2, 'both are streamed')

    await company.api('bob', 'POST', `/api/v1/grants/${grant.id}/revoke`, { reason: 'incident 42' })
    const decidedAt = Date.now()
    const [watched, followed] = await Promise.all([watch.ended, follow.ended])
    t.ok(Math.max(watched.endedAt, followed.endedAt) - decidedAt < 1000, 'both were cut within a second')
    t.equal(followed.code, 1, followed.stderr)
    t.match(watched.stdout + watched.stderr, /incident 42/)
    await waitUntil(() => cluster.streaming === 0, 'the cluster was left')
    const after = await kubectl('get', 'pods').ended
    t.equal(after.code, 1)
    t.comment(watched, followed, after)
  },
)
