import { mkdtempSync } from 'node:fs'
import path from 'node:path'
import type { Test } from 'tap'
import { clusterId } from '../sandbox/daemon-files.ts'
import type { ApiServer } from '../sandbox/kubernetes/api-server.ts'
import { startSandbox } from '../sandbox/sandbox.ts'
import { type Company, companyIn } from './company.ts'

const rules = [
  { verbs: ['*'], groups: ['core', 'apps'], resources: ['*'], namespaces: ['shop'] },
  { verbs: ['exec', 'attach', 'portforward'], resources: ['pods'], namespaces: ['shop'] },
  { verbs: ['create'], groups: ['authorization.k8s.io'], resources: ['selfsubjectaccessreviews'] },
]

/** A company in which alice has the level `all` at the cluster `web`: whatever there is in its namespace `shop`. */
export async function startClusterCompany(
  t: Pick<Test, 'teardown'>,
): Promise<{ readonly company: Company; readonly cluster: ApiServer }> {
  const sandbox = await startSandbox({ cluster: true })
  const { cluster } = sandbox
  if (!cluster) throw new Error('there is no cluster')
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
  return { company, cluster }
}
