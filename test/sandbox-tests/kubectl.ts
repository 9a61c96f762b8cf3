import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Test } from 'tap'
import { clusterToken } from '../../src/kinds/eks-cluster/token.ts'
import { startAws } from '../sandbox/aws.ts'
import { createAuthority } from '../sandbox/certificates.ts'
import { createClock } from '../sandbox/clock.ts'
import { type Running, startCommand } from '../sandbox/commands.ts'
import { arns, createWorld, region } from '../sandbox/default-world.ts'
import type { ApiServer } from '../sandbox/kubernetes/api-server.ts'
import { startWebCluster, webCluster } from '../sandbox/kubernetes/web-cluster.ts'

export interface DirectCluster {
  readonly cluster: ApiServer
  /** PEM. */
  readonly ca: string
  /** Of a session of the mapped role. */
  readonly token: string
  readonly kubeconfig: string
  /** Empty. */
  readonly folder: string
  /** Of the cluster: `1.35`. */
  setVersion(version: string): void
  /** With the environment variables that switch WebSockets off, if told so. */
  env(transport?: 'webSocket' | 'spdy'): NodeJS.ProcessEnv
  /** @param input null: stdin stays open */
  kubectl(args: readonly string[], options?: KubectlOptions): Running
}

export interface KubectlOptions {
  readonly transport?: 'webSocket' | 'spdy'
  readonly input?: string | null
}

/** The cluster of the sandbox, with no broker before it. */
export async function openDirectly(t: Test): Promise<DirectCluster> {
  const clock = createClock()
  const world = createWorld()
  const aws = await startAws({ world, clock })
  const authority = createAuthority('kubernetes')
  const cluster = await startWebCluster(aws, authority)
  const dir = mkdtempSync(path.join(os.tmpdir(), 'sallyport-kubectl-'))
  t.teardown(async () => {
    await cluster.close()
    await aws.close()
    rmSync(dir, { recursive: true, force: true })
  })
  const role = world.roles.find(({ arn }) => arn === arns.clusterView)
  if (!role) throw new Error('no role')
  const caller = aws.callers.issue(role, {
    roleArn: role.arn,
    name: 'alice@example.com',
    issuedAt: clock.now(),
    expiresAt: clock.now() + 3_600_000,
    policy: null,
    tags: {},
    transitiveTagKeys: [],
    sourceIdentity: null,
    isChained: true,
  })
  const keys = {
    accessKeyId: caller.accessKeyId,
    secretAccessKey: caller.secretAccessKey,
    sessionToken: caller.session?.token ?? '',
    expiresAt: clock.now() + 3_600_000,
  }
  const token = await clusterToken({ partition: 'aws', region, cluster: webCluster.name }, keys, clock.now())
  const kubeconfig = path.join(dir, 'kubeconfig')
  writeFileSync(kubeconfig, JSON.stringify(configOf(cluster.port, authority.cert, token)))
  const env = (transport?: 'webSocket' | 'spdy') => ({
    ...process.env,
    HOME: dir,
    KUBECONFIG: kubeconfig,
    KUBECTL_REMOTE_COMMAND_WEBSOCKETS: String(transport !== 'spdy'),
    KUBECTL_PORT_FORWARD_WEBSOCKETS: String(transport !== 'spdy'),
  })
  return {
    cluster,
    ca: authority.cert,
    token,
    kubeconfig,
    folder: dir,
    setVersion: (version) => {
      for (const one of world.clusters) one.version = version
    },
    env,
    kubectl: (args, { transport, input = '' } = {}) => startCommand('kubectl', args, env(transport), input),
  }
}

function configOf(port: number, ca: string, token: string): object {
  const cluster = {
    server: `https://127.0.0.1:${port}`,
    'tls-server-name': webCluster.endpoint,
    'certificate-authority-data': Buffer.from(ca).toString('base64'),
  }
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'web', cluster }],
    users: [{ name: 'alice', user: { token } }],
    contexts: [{ name: 'web', context: { cluster: 'web', user: 'alice', namespace: 'shop' } }],
    'current-context': 'web',
  }
}
