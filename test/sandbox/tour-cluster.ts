import { join } from 'node:path'
import type { Running } from './commands.ts'
import { clusterId } from './daemon-files.ts'
import type { Demo } from './demo-house.ts'
import { hasKubectl } from './programs.ts'
import { startTlsFront } from './tls-front.ts'
import type { RunOptions, Transcript } from './transcript.ts'

interface Steps {
  readonly demo: Demo
  readonly print: Transcript
  as(person: 'alice' | 'bob' | 'carol', command: string, options?: RunOptions): Promise<unknown>
  /** What alice asked for last, approved by bob. @returns the grant's id */
  approved(): Promise<string>
  lastRecording(): Promise<string>
}

/** The part of the tour that is about EKS. */
export async function showCluster({ demo, print, as, approved, lastRecording }: Steps): Promise<void> {
  print.heading('An EKS cluster by kubectl: under one’s own name in its log, recorded, and cut')
  const { cluster } = demo.sandbox
  if (!cluster) throw new Error('there is no cluster')
  if (!hasKubectl()) return print.miss('kubectl 1.27 or newer is not installed: https://kubernetes.io/docs/tasks/tools')
  const dir = join('.demo', 'kube')
  const env = { ...demo.personEnv('alice'), KUBECONFIG: join(dir, 'config'), KUBECACHEDIR: join(dir, 'cache') }
  const kubectl = (command: string, options: RunOptions = {}) =>
    print.run(`kubectl ${command}`, 'kubectl', command.split(' '), { ...options, env })
  const start = (command: string): Running =>
    print.background(`kubectl ${command}`, 'kubectl', command.split(' '), { env })
  const front = await startTlsFront(demo.url, demo.sandbox.authority)
  try {
    await as('alice', 'request web --level readonly --for 1h --reason "web-1 restarts"')
    const id = await approved()
    await as('alice', 'kube web --namespace shop', { env, shows: [/put TLS before it/] })
    print.note(`the demo speaks HTTP, and kubectl sends tokens by HTTPS alone: ${front.url} is TLS before it`)
    const server = `${front.url}/k8s/${clusterId.replace('eks-cluster/', '')}`
    await kubectl(`config set-cluster sallyport-web --server ${server} --certificate-authority ${demo.caFile}`)
    await kubectl('get pods', { shows: [/web-1 +Running/] })
    await kubectl('logs web-1', { shows: [/web-1 has started/] })
    await kubectl('get secrets', { exit: 1, shows: [/does not allow it: it needs "list" on secrets/] })
    const user = cluster.audit.findLast(({ url }) => url.includes('/pods'))?.user ?? ''
    print.check(/\/alice\b/.test(user), `the audit log of the cluster has ${user}`)
    const watch = start('get pods --watch')
    await watch.prints(/web-1/)
    await as('bob', `revoke ${id} --reason "incident 45"`)
    await watch.ended
    print.show(watch.output)
    print.check(/incident 45/.test(watch.output), 'the watch ended, and said why')
    const cutMs = await demo.slowestCutMs('grant-revoked')
    print.check(cutMs < 1000, `the broker stopped forwarding at most ${cutMs} ms after the decision`)
    const session = await lastRecording()
    await as('carol', `recordings play ${session}`, { shows: [/pods/, /incident 45|revoked/] })
  } finally {
    await front.close()
  }
}
