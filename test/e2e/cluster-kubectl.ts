import { readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import path from 'node:path'
import { createServer } from 'node:tls'
import type { Test } from 'tap'
import { type Running, startCommand } from '../sandbox/commands.ts'
import type { Company } from './company.ts'

/** TLS before the daemon, as a balancer has it: kubectl sends tokens over nothing else. @returns its address */
async function tlsFront(t: Test, { sandbox, daemon }: Company): Promise<string> {
  const { cert, key } = sandbox.authority.issue(['localhost'])
  const server = createServer({ cert, key }, (socket) => {
    const behind = connect(Number(new URL(daemon.url).port), '127.0.0.1')
    for (const one of [socket, behind]) one.on('error', () => {})
    socket.pipe(behind).pipe(socket)
    socket.on('close', () => behind.destroy())
    behind.on('close', () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return `https://localhost:${(server.address() as AddressInfo).port}`
}

export interface Kubectl {
  run(...args: string[]): Running
  /** @param input as {@link startCommand} has it */
  start(args: readonly string[], env?: NodeJS.ProcessEnv, input?: string | null): Running
  readonly env: NodeJS.ProcessEnv
  readonly kubeconfig: string
}

/** kubectl of alice, by the context that `sallyport kube` wrote. @param options of that command; with `--token`, kubectl starts nothing else */
export async function kubectlOf(t: Test, company: Company, level: string, ...options: string[]): Promise<Kubectl> {
  const { sandbox, daemon, commands } = company
  const kubeconfig = path.join(sandbox.dir, `kubeconfig-${level}`)
  const own = {
    KUBECONFIG: kubeconfig,
    NODE_EXTRA_CA_CERTS: sandbox.caFile,
    HOME: path.join(sandbox.dir, 'home', 'alice'),
  }
  const written = await commands.alice.run(['kube', 'web', '--level', level, '--namespace', 'shop', ...options], own)
  t.equal(written.code, 0, written.stderr)
  t.match(written.stdout, /^kubectl --context sallyport-web get pods\n/)
  const front = await tlsFront(t, company)
  const text = readFileSync(kubeconfig, 'utf8')
  writeFileSync(kubeconfig, text.replace(`server: ${daemon.url}`, `server: ${front}`))
  const env = { ...commands.alice.env, ...own, KUBECACHEDIR: path.join(sandbox.dir, 'cache') }
  const start: Kubectl['start'] = (args, more = {}, input = '') =>
    startCommand('kubectl', args, { ...env, ...more }, input)
  return { run: (...args) => start(args), start, env, kubeconfig }
}
