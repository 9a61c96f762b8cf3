/** What `sallyport kube` writes for kubectl, what its credential does when access comes and goes, and what is found of it afterwards. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { type Running, startCommand } from '../sandbox/commands.ts'
import { clusterId } from '../sandbox/daemon-files.ts'
import { skipWithoutKubectl } from '../sandbox/programs.ts'
import { startTlsFront } from '../sandbox/tls-front.ts'
import { startCompany } from './company.ts'

t.setTimeout(180_000)

t.test('a context for kubectl', { skip: skipWithoutKubectl() }, async (t) => {
  const company = await startCompany({ sandbox: { cluster: true } })
  t.teardown(() => company.close())
  const { sandbox, daemon, commands } = company
  const front = await startTlsFront(daemon.url, sandbox.authority)
  t.teardown(() => front.close())
  const home = path.join(sandbox.dir, 'home', 'alice')
  const kubeconfig = path.join(sandbox.dir, 'kubeconfig')
  const env = { KUBECONFIG: kubeconfig, NODE_EXTRA_CA_CERTS: sandbox.caFile, HOME: home }
  const kube = (...args: string[]) => commands.alice.run(['kube', 'web', ...args], env)
  const kubectl = (...args: string[]): Running =>
    startCommand('kubectl', ['--server', `${front.url}/k8s/${clusterId.replace('eks-cluster/', '')}`, ...args], {
      ...process.env, // and nothing of alice's: the context says all that the credential needs
      KUBECONFIG: kubeconfig,
      KUBECACHEDIR: path.join(sandbox.dir, 'cache'),
    })
  const tokens = path.join(String(commands.alice.env.SALLYPORT_HOME), 'kube')

  await t.test('it has its home, the CA and a namespace, and comes and goes', async (t) => {
    await company.grant(3_600_000, clusterId, 'edit')
    writeFileSync(
      kubeconfig,
      '# mine\napiVersion: v1\nkind: Config\ncurrent-context: other\ncontexts:\n  - name: other\n    context: {}\n',
    )
    t.match(await kube('--level', 'edit', '--context', 'shop', '--no-current'), { code: 0 })
    t.match(readFileSync(kubeconfig, 'utf8'), /# mine[\s\S]*current-context: other[\s\S]*name: other[\s\S]*name: shop/)
    t.match(await kube('--context', 'shop', '--remove'), { code: 0, stdout: /removed/ })
    t.notMatch(readFileSync(kubeconfig, 'utf8'), /name: shop/)
    t.match(await kube('--context', 'shop', '--remove'), { code: 1, stderr: /no context shop/ })
    t.match(await kube('--level', 'edit', '--namespace', 'shop'), { code: 0 })
    const text = readFileSync(kubeconfig, 'utf8')
    t.match(text, /current-context: sallyport-web/)
    t.match(text, /name: SALLYPORT_HOME[\s\S]*interactiveMode: Never/)
    t.equal(statSync(kubeconfig).mode & 0o777, 0o600)
  })

  await t.test('a Secret that is applied is on record without its values, and is found by its name', async (t) => {
    const file = path.join(sandbox.dir, 'secret.yaml')
    writeFileSync(file, 'apiVersion: v1\nkind: Secret\nmetadata:\n  name: pay-key\nstringData:\n  key: hunter-4711\n')
    const applied = await kubectl('apply', '--validate=false', '-f', file).ended
    t.match(applied, { code: 0, stdout: /secret\/pay-key created/ }, applied.stderr)
    t.match(sandbox.cluster?.objects.get('secrets', 'shop', 'pay-key'), { metadata: { name: 'pay-key' } })
    const search = (text: string) => commands.carol.run(['recordings', 'search', text])
    const found = await search('pay-key')
    t.match(
      found,
      {
        code: 0,
        stdout:
          /alice@example\.com on eks-cluster\/.*\n[\s\S]*get \/api\/v1\/namespaces\/shop\/secrets\/pay-key\n[\s\S]*redacted/,
      },
      found.stdout,
    )
    t.match((await search('hunter-4711')).stderr, /found 0 statements/)
    const [, session = ''] = /^(ses_\w+):/m.exec(found.stdout) ?? []
    const played = await commands.carol.run(['recordings', 'play', session])
    t.match(played.stdout, /pay-key/)
    t.notMatch(played.stdout, /hunter-4711|aHVudGVyLTQ3MTE/)
  })

  await t.test('a token is kept, and asked for anew once its grant is over', async (t) => {
    const [name = ''] = readdirSync(tokens)
    const file = path.join(tokens, name)
    t.equal(statSync(file).mode & 0o777, 0o600)
    const first = readFileSync(file, 'utf8')
    t.equal((await kubectl('get', 'pods').ended).code, 0)
    t.equal(readFileSync(file, 'utf8'), first, 'nobody was asked')
    const { grantId } = JSON.parse(first) as { grantId: string }
    await company.api('bob', 'POST', `/api/v1/grants/${grantId}/revoke`, { reason: 'incident 46' })
    const second = await company.grant(3_600_000, clusterId, 'edit')
    writeFileSync(file, JSON.stringify({ ...(JSON.parse(first) as object), checkedAt: 0 }))
    const pods = await kubectl('get', 'pods').ended
    t.match(pods, { code: 0, stdout: /web-1/ }, pods.stderr)
    t.equal((JSON.parse(readFileSync(file, 'utf8')) as { grantId: string }).grantId, second.id)
    t.equal(readdirSync(tokens).length, 1)
  })

  await t.test('a token for a machine without sallyport: the CA is in it, too', async (t) => {
    t.match(await kube('--token', '--for', '5m', '--level', 'edit'), { code: 0, stderr: /valid until/ })
    const text = readFileSync(kubeconfig, 'utf8')
    t.match(text, /certificate-authority-data: \S{100}/)
    t.notMatch(text, /exec:/)
    const pods = await kubectl('get', 'pods', '--namespace', 'shop').ended
    t.match(pods, { code: 0, stdout: /web-1/ }, pods.stderr)
    t.match(await kube('--remove'), { code: 0 })
    t.same(readdirSync(path.dirname(tokens)).includes('kube'), false, 'kept tokens are gone, too')
  })
})
