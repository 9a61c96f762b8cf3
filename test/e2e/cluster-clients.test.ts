/**
 * The kubectls and helms of Kubernetes 1.27 to 1.35, and its library for Node, through the product as it runs. In `.ci/long`, since they are
 * 800 MB and take minutes: with `SALLYPORT_CLIENTS=true`, and `SALLYPORT_CLUSTER_VERSIONS=27,35` for some of them.
 */
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { startCommand } from '../sandbox/commands.ts'
import { startClusterCompany } from './cluster-company.ts'
import { kubectlOf } from './cluster-kubectl.ts'
import { tryHelm, tryKubectl } from './cluster-steps.ts'
import { fetchClusterLibrary, fetchClusterTools } from './cluster-tools.ts'

const versions = (process.env.SALLYPORT_CLUSTER_VERSIONS ?? '27,28,29,30,31,32,33,34,35').split(',').map(Number)

t.setTimeout(1_800_000)

if (process.env.SALLYPORT_CLIENTS === 'true') await testClients()
else t.plan(0, 'takes long: with SALLYPORT_CLIENTS=true')

async function testClients(): Promise<void> {
  const { company, cluster } = await startClusterCompany(t)
  const { env } = await kubectlOf(t, company, 'all')

  for (const minor of versions) {
    const folder = path.join(company.sandbox.dir, `client-${minor}`)
    mkdirSync(folder)
    // Each has a cache of its own: they differ in what discovery gives them.
    const own = { cluster, env: { ...env, KUBECACHEDIR: folder }, folder }
    await t.test(`§8.2, portainer 12880: kubectl 1.${minor}`, async (t) =>
      tryKubectl(t, { ...own, tools: await fetchClusterTools(minor) }),
    )
    await t.test(`helm of 1.${minor}`, async (t) => tryHelm(t, { ...own, tools: await fetchClusterTools(minor) }))
  }

  await t.test('the library for Node', async (t) => {
    const program = fileURLToPath(new URL('tools/cluster-library.ts', import.meta.url))
    const ran = await startCommand(process.execPath, [program, await fetchClusterLibrary()], env).ended
    t.match(ran, { code: 0, stdout: 'ADDED web-1\ngot some input\nmore\nFailure 3\n' }, ran.stderr)
    t.match(cluster.streams.at(-1), { transport: 'webSocket', protocol: 'v5.channel.k8s.io', violation: null })
  })
}
