/**
 * The kubectls and helms of Kubernetes 1.27 to 1.35, and its library for Node, through the product as it runs. In `.ci/long`, since they are
 * 800 MB and take minutes: with `SALLYPORT_CLIENTS=true`, and `SALLYPORT_CLUSTER_VERSIONS=27,35` for some of them.
 */
import { mkdirSync, mkdtempSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { startCommand } from '../sandbox/commands.ts'
import { clusterId } from '../sandbox/daemon-files.ts'
import { startSandbox } from '../sandbox/sandbox.ts'
import { kubectlOf } from './cluster-kubectl.ts'
import { tryHelm, tryKubectl } from './cluster-steps.ts'
import { fetchClusterLibrary, fetchClusterTools } from './cluster-tools.ts'
import { companyIn } from './company.ts'

const versions = (process.env.SALLYPORT_CLUSTER_VERSIONS ?? '27,28,29,30,31,32,33,34,35').split(',').map(Number)

if (process.env.SALLYPORT_CLIENTS === 'true') await testClients()
else t.plan(0, 'takes long: with SALLYPORT_CLIENTS=true')

async function testClients(): Promise<void> {
  t.setTimeout(1_800_000)
  const sandbox = await startSandbox({ cluster: true })
  const { cluster } = sandbox
  if (!cluster) throw new Error('there is no cluster')
  const rules = [
    { verbs: ['*'], groups: ['core', 'apps'], resources: ['*'], namespaces: ['shop'] },
    { verbs: ['exec', 'attach', 'portforward'], resources: ['pods'], namespaces: ['shop'] },
    { verbs: ['create'], groups: ['authorization.k8s.io'], resources: ['selfsubjectaccessreviews'] },
  ]
  const files = await sandbox.writeConfig(mkdtempSync(path.join(sandbox.dir, 'daemon-')), {
    levels: [{ for: { kinds: ['eks-cluster'] }, all: { role: 'sallyport/{cluster}-view', rules } }],
    access: [
      {
        name: 'engineers-run-the-shop',
        who: { groups: ['engineering'] },
        what: { ids: [clusterId] },
        levels: ['all'],
        max_duration: '8h',
        require: { reason: true },
        approval: { stages: [{ any_of: ['group:database-owners'], count: 1 }] },
      },
    ],
  })
  const company = await companyIn(sandbox, { files })
  t.teardown(() => company.close())
  await company.grant(3_600_000, clusterId, 'all')
  const { env } = await kubectlOf(t, company, 'all')

  for (const minor of versions) {
    const folder = path.join(sandbox.dir, `client-${minor}`)
    mkdirSync(folder)
    // Each has a cache of its own: they differ in what discovery gives them.
    const client = { tools: await fetchClusterTools(minor), cluster, env: { ...env, KUBECACHEDIR: folder }, folder }
    await t.test(`§8.2, portainer 12880: kubectl 1.${minor}`, (t) => tryKubectl(t, client))
    await t.test(`helm of 1.${minor}`, (t) => tryHelm(t, client))
  }

  await t.test('the library for Node', async (t) => {
    const program = fileURLToPath(new URL('tools/cluster-library.ts', import.meta.url))
    const ran = await startCommand(process.execPath, [program, await fetchClusterLibrary()], env).ended
    t.match(ran, { code: 0, stdout: 'ADDED web-1\ngot some input\nmore\nFailure 3\n' }, ran.stderr)
    t.match(cluster.streams.at(-1), { transport: 'webSocket', protocol: 'v5.channel.k8s.io', violation: null })
  })
}
