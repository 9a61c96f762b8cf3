import { execFileSync } from 'node:child_process'
import t from 'tap'
import { loadRules } from '../../../../src/access/rules/load-rules.ts'
import { liesWithin, neededRights } from '../../../../src/kinds/eks-cluster/cluster-rights.ts'
import { eksCluster } from '../../../../src/kinds/eks-cluster/kind.ts'
import { clusterExceeds } from '../../../../src/kinds/eks-cluster/limits.ts'
import { kinds } from '../../../../src/kinds/registry.ts'
import { readLevel } from './read-level.ts'

const needs: readonly [what: string, rules: object[], policy: string, namespaces: string[] | null][] = [
  ['reading', [{ verbs: ['get', 'list'], resources: ['pods', 'pods/log'] }], 'View', null],
  [
    'reading in namespaces',
    [{ verbs: ['get'], resources: ['pods'], namespaces: ['shop', 'a-*'] }],
    'View',
    ['a-*', 'shop'],
  ],
  ['the list of namespaces', [{ verbs: ['list'], resources: ['namespaces'] }], 'View', null],
  ['reading Secrets', [{ verbs: ['get'], resources: ['secrets'], namespaces: ['shop'] }], 'AdminView', ['shop']],
  ['reading nodes', [{ verbs: ['get'], resources: ['nodes'] }], 'AdminView', null],
  ['reading custom resources', [{ verbs: ['get'], groups: ['argoproj.io'], resources: ['*'] }], 'AdminView', null],
  ['exec', [{ verbs: ['exec'], resources: ['pods'], namespaces: ['shop'] }], 'Edit', ['shop']],
  ['changing', [{ verbs: ['*'], groups: ['core', 'apps'], resources: ['*'], namespaces: ['shop'] }], 'Edit', ['shop']],
  [
    'roles of a namespace',
    [{ verbs: ['create'], groups: ['rbac.authorization.k8s.io'], resources: ['roles'], namespaces: ['shop'] }],
    'Admin',
    ['shop'],
  ],
  ['custom resources', [{ verbs: ['patch'], groups: ['argoproj.io'], resources: ['*'] }], 'ClusterAdmin', null],
  ['nodes', [{ verbs: ['patch'], resources: ['nodes'] }], 'ClusterAdmin', null],
  ['a proxy to nodes', [{ verbs: ['proxy'], resources: ['nodes'] }], 'ClusterAdmin', null],
  ['everything', [{ verbs: ['*'], groups: ['*'], resources: ['*'] }], 'ClusterAdmin', null],
  [
    'the widest of several',
    [
      { verbs: ['get'], resources: ['pods'], namespaces: ['shop'] },
      { verbs: ['delete'], resources: ['pods'], namespaces: ['blog'] },
    ],
    'Edit',
    ['blog', 'shop'],
  ],
]
for (const [what, rules, policy, namespaces] of needs)
  t.test(`${what} needs AmazonEKS${policy}Policy`, async (t) => {
    t.same(neededRights(readLevel({ rules }).rules), { policy: `AmazonEKS${policy}Policy`, namespaces })
  })

t.test('namespaces within others', async (t) => {
  t.equal(liesWithin(null, null), true)
  t.equal(liesWithin(null, ['shop']), false)
  t.equal(liesWithin(['shop'], null), true)
  t.equal(liesWithin(['shop'], ['shop', 'blog']), true)
  t.equal(liesWithin(['shop', 'other'], ['shop']), false)
  t.equal(liesWithin(['team-a', 'team-b*'], ['team-*']), true)
  t.equal(liesWithin(['team-*'], ['team-a']), false)
})

const target = {
  partition: 'aws',
  account: '111122223333',
  region: 'eu-west-1',
  cluster: 'web',
  endpoint: 'abc.gr7.eu-west-1.eks.amazonaws.com',
  connect: { host: 'abc.gr7.eu-west-1.eks.amazonaws.com', port: 443 },
  ca: null,
  via: [],
}
const reading = {
  role: 'sallyport/{cluster}-view',
  rules: [{ verbs: ['get'], resources: ['pods'], namespaces: ['shop', 'team-*'] }],
}
const changing = { role: '{cluster}-edit', rules: [{ verbs: ['*'], groups: ['apps'], resources: ['*'] }] }
const stepsOf = (levels: Record<string, object>, trust: 'hub' | 'web_identity' = 'hub') =>
  eksCluster.prepare?.(target, new Map(Object.entries(levels).map(([name, level]) => [name, readLevel(level)])), {
    aws: { accounts: { '111122223333': { trust } } },
  }) ?? []

t.test('each role once, what maps it, and its rights', async (t) => {
  const steps = stepsOf({ readonly: reading, edit: changing, same: reading })
  t.same(
    steps.map(({ what, levels }) => `${what}: ${levels.join()}`),
    [
      'make the role web-view, with the AWS CLI: readonly,same',
      'let web-view into web by an access entry, with the AWS CLI: readonly,same',
      'instead, where the authentication mode of web is CONFIG_MAP: map web-view by aws-auth: readonly,same',
      'make the role web-edit, with the AWS CLI: edit',
      'let web-edit into web by an access entry, with the AWS CLI: edit',
      'instead, where the authentication mode of web is CONFIG_MAP: map web-edit by aws-auth: edit',
      'turn on the audit log of web, which names each person, with the AWS CLI: ',
    ],
  )
  const [role, entry, awsAuth, ofEdit, editEntry] = steps.map(({ text }) => text)
  t.match(role, /--role-name web-view --path \/sallyport\/ .*roleTrust\.json --tags Key=sallyport:managed,Value=true$/)
  t.match(ofEdit, /--role-name web-edit --path \/ /)
  t.match(entry, /readonly, same name the same role/)
  t.match(
    entry,
    /--principal-arn arn:aws:iam::111122223333:role\/sallyport\/web-view --username 'sallyport:\{\{SessionName\}\}'/,
  )
  t.match(entry, /cluster-access-policy\/AmazonEKSViewPolicy --access-scope 'type=namespace,namespaces=shop,team-\*'$/)
  t.match(editEntry, /AmazonEKSEditPolicy --access-scope type=cluster$/)
  t.notMatch(editEntry, /same role/)
  t.match(awsAuth, /rolearn: arn:aws:iam::111122223333:role\/web-view\n/, 'without its path')
  t.match(awsAuth, /username: sallyport:\{\{SessionName\}\}/)
  t.match(
    awsAuth,
    /create rolebinding sallyport-web-view --namespace shop --clusterrole view --group sallyport:web-view/,
  )
  t.match(awsAuth, /# for each namespace team-\*: kubectl create rolebinding/)
  const [personal] = stepsOf({ readonly: reading }, 'web_identity')
  t.match(personal?.text, /--trust web_identity .*\n.*roleWebIdentityTrust\.json --max-session-duration 3600$/)
  t.match(stepsOf({ edit: changing })[2]?.text, /create clusterrolebinding sallyport-web-edit --clusterrole edit/)
  for (const { text } of steps) execFileSync('bash', ['-n', '-c', text])
})

t.test('config check says what a level amounts to', async (t) => {
  t.same(clusterExceeds(readLevel(reading)), [])
  t.match(clusterExceeds(readLevel(changing)), [{ path: 'rules', message: /^amounts to admin: .*starts programs/ }])
  const file = { id: 'eks-cluster/111122223333/eu-west-1/web', endpoint: target.endpoint }
  const loaded = loadRules(
    {
      aws: { accounts: {} },
      oidc: { loginClaim: null },
      inventory: { organization: false },
      access: [],
      levels: [{ for: { kinds: ['eks-cluster'] }, readonly: reading, edit: changing }],
      resources: [file],
    } as unknown as Parameters<typeof loadRules>[0],
    kinds,
  )
  t.equal(loaded.ok, true)
  t.match(loaded.warnings, [{ path: 'levels[0].edit.rules', message: /^amounts to admin/, fix: /\S/ }])
  t.equal(loaded.warnings.length, 1)
})
