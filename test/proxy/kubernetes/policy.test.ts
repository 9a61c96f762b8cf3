import t from 'tap'
import { escalationOf } from '../../../proxy/kubernetes/escalation.ts'
import { judge } from '../../../proxy/kubernetes/policy.ts'
import type { KubernetesRule } from '../../../proxy/kubernetes/rules.ts'
import { readAttributes } from '../../../proxy/wire/kubernetes/attributes.ts'
import fc from '../../fast-check.ts'

function rule(verbs: string, groups: string, resources: string, namespaces = '*', names?: string): KubernetesRule {
  const list = (text: string) => text.split(' ')
  return {
    verbs: list(verbs),
    groups: list(groups).map((group) => (group === 'core' ? '' : group)),
    resources: list(resources),
    namespaces: list(namespaces),
    names: names === undefined ? null : list(names),
  }
}

/** null: allowed. */
function refusal(rules: readonly KubernetesRule[], method: string, url: string): string | null {
  const verdict = judge(rules, 'view', readAttributes(method, url))
  return verdict.isAllowed ? null : verdict.why
}

const view = [rule('get list watch', 'core', 'pods pods/log services', 'shop team-*')]
const everything = [rule('*', '*', '*')]
const streams = [rule('exec attach portforward proxy ephemeralcontainers token', 'core', '*')]

const allowed: readonly (readonly [rules: readonly KubernetesRule[], method: string, url: string])[] = [
  [view, 'GET', '/api/v1/namespaces/shop/pods'],
  [view, 'HEAD', '/api/v1/namespaces/shop/pods/web'],
  [view, 'GET', '/api/v1/namespaces/team-a/pods?watch=1'],
  [view, 'GET', '/api/v1/namespaces/shop/pods/web/log?follow=true'],
  [view, 'GET', '/api/v1/namespaces/shop/services/web'],
  [everything, 'GET', '/api/v1/pods'],
  [everything, 'PATCH', '/apis/apps/v1/namespaces/a/deployments/b/scale'],
  [everything, 'DELETE', '/api/v1/namespaces/a/pods'],
  [[rule('patch', 'apps', '*/scale')], 'PATCH', '/apis/apps/v1/namespaces/a/deployments/b/scale'],
  [[rule('create', 'core', 'pods/*')], 'POST', '/api/v1/namespaces/a/pods/b/eviction'],
  [[rule('get', 'core', 'secrets', 'a', 'tls-*')], 'GET', '/api/v1/namespaces/a/secrets/tls-1'],
  [[rule('list', 'core', 'secrets', '*', 'x')], 'GET', '/api/v1/secrets?fieldSelector=metadata.name%3Dx'],
  [[rule('get', 'core', 'namespaces', 'shop')], 'GET', '/api/v1/namespaces/shop'],
  [streams, 'GET', '/api/v1/namespaces/a/pods/b/exec?command=id'],
  [streams, 'POST', '/api/v1/namespaces/a/pods/b/exec'],
  [streams, 'POST', '/api/v1/namespaces/a/pods/b/attach'],
  [streams, 'GET', '/api/v1/namespaces/a/pods/b/portforward'],
  [streams, 'DELETE', '/api/v1/namespaces/a/services/b/proxy/path'],
  [streams, 'GET', '/api/v1/proxy/nodes/b/path'],
  [streams, 'PATCH', '/api/v1/namespaces/a/pods/b/ephemeralcontainers'],
  [streams, 'POST', '/api/v1/namespaces/a/serviceaccounts/b/token'],
  ...['/', '/api', '/apis', '/api/v1', '/apis/apps', '/apis/apps/v1', '/version', '/openapi/v2', '/openapi/v3'].map(
    (path) => [view, 'GET', path] as const,
  ),
  ...['/openapi/v3/apis/apps/v1', '/healthz', '/livez', '/readyz'].map((path) => [view, 'GET', path] as const),
  [view, 'POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'],
  [view, 'POST', '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews'],
  [view, 'POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews'],
]

for (const [rules, method, url] of allowed)
  t.test(`${method} ${url} is allowed by ${JSON.stringify(rules[0]?.verbs)}`, async (t) => {
    t.equal(refusal(rules, method, url), null)
    // Discovery and questions about oneself excepted, nothing is without a rule.
    if (url.includes('/namespaces/')) t.type(refusal([], method, url), 'string')
  })

const denied: readonly (readonly [rules: readonly KubernetesRule[], method: string, url: string, why: string])[] = [
  [view, 'GET', '/api/v1/pods', '"list" on pods in all namespaces, or of the cluster'],
  [view, 'GET', '/api/v1/namespaces/team/pods', '"list" on pods in the namespace "team"'],
  [view, 'DELETE', '/api/v1/namespaces/shop/pods/web', '"delete" on pods "web" in the namespace "shop"'],
  [view, 'DELETE', '/api/v1/namespaces/shop/pods', '"deletecollection" on pods in the namespace "shop"'],
  [view, 'GET', '/api/v1/namespaces/shop/pods/web/status', '"get" on pods/status "web" in the namespace "shop"'],
  [view, 'GET', '/apis/apps/v1/namespaces/shop/deployments', '"list" on deployments of apps in the namespace "shop"'],
  [
    view,
    'GET',
    '/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods',
    '"list" on pods of metrics.k8s.io in the namespace "shop"',
  ],
  [
    [rule('get', 'core', 'secrets', 'a', 'x')],
    'GET',
    '/api/v1/namespaces/a/secrets',
    '"list" on secrets in the namespace "a"',
  ],
  [
    [rule('*', 'core', 'secrets', 'a', 'x')],
    'GET',
    '/api/v1/namespaces/a/secrets',
    '"list" on secrets in the namespace "a"',
  ],
  [
    [rule('create', 'core', 'pods', 'a', 'x')],
    'POST',
    '/api/v1/namespaces/a/pods',
    '"create" on pods in the namespace "a"',
  ],
]

for (const [rules, method, url, why] of denied)
  t.test(`${method} ${url} is denied`, async (t) => {
    t.equal(refusal(rules, method, url), `the access level "view" does not allow it: it needs ${why}`)
  })

t.test('trap 4: what reaches into programs needs its own verb, by any method and transport', async (t) => {
  const paths = ['exec', 'attach', 'portforward', 'proxy', 'ephemeralcontainers'].map((name) => [
    name,
    `/api/v1/namespaces/a/pods/b/${name}`,
  ])
  paths.push(
    ['token', '/api/v1/namespaces/a/serviceaccounts/b/token'],
    ['proxy', '/api/v1/nodes/b/proxy/run/x'],
    ['proxy', '/api/v1/proxy/namespaces/a/pods/b'],
  )
  for (const [verb = '', path = ''] of paths)
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      t.match(refusal(everything, method, path), `it needs "${verb}" on `, `${method} ${path}`)
      t.equal(refusal([rule(verb, 'core', '*')], method, path), null)
      t.type(refusal([rule(verb, 'core', '*', 'other')], method, path), 'string')
    }
  t.match(refusal(everything, 'GET', '/api/v1/watch/namespaces/a/pods/b/exec'), '"exec" on pods')
})

t.test('methods and paths that no level allows', async (t) => {
  t.match(refusal(everything, 'OPTIONS', '/api/v1/pods'), 'no such method')
  for (const path of [
    '/metrics',
    '/logs/kubelet.log',
    '/debug/pprof',
    '/apiserver',
    '/swaggerapi',
    '/.well-known/openid-configuration',
  ])
    t.match(refusal(everything, 'GET', path), `no access level allows "get" on the path ${path}`)
  t.match(refusal(everything, 'POST', '/version'), 'no access level allows "post"')
})

t.test('a denial is one line, whatever the request says', async (t) => {
  t.notMatch(refusal(view, 'GET', '/api/v1/namespaces/shop/pods/a%E2%80%A8b%E2%80%AE/status'), /[\p{Cc}\p{Cf}\p{Zl}]/u)
})

t.test('more rules never allow less, and no rules nothing', async () => {
  const word = fc.constantFrom(
    'get',
    'list',
    'exec',
    'token',
    '*',
    'pods',
    'pods/log',
    'shop',
    'core',
    'apps',
    'team-*',
  )
  const list = fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => words.join(' '))
  const some = fc.array(
    fc.tuple(list, list, list, list).map((lists) => rule(...lists)),
    { maxLength: 4 },
  )
  const url = fc.constantFrom(...[...allowed, ...denied].map(([, method, url]) => [method, url] as const))
  fc.assert(
    fc.property(some, some, url, (one, more, [method, path]) => {
      const isAllowed = refusal(one, method, path) === null
      return !isAllowed || refusal([...more, ...one], method, path) === null
    }),
  )
})

const amounts: readonly (readonly [
  what: string,
  rule: KubernetesRule,
  amountsTo: 'exec' | 'admin' | undefined,
  why?: RegExp,
])[] = [
  ['reading pods and logs', rule('get list watch', 'core', 'pods pods/log'), undefined],
  ['reading all but core', rule('get list watch', 'apps batch', '*'), undefined],
  ['forwarding ports', rule('portforward', 'core', 'pods', 'shop'), undefined],
  ['deleting pods', rule('delete', 'core', 'pods', 'shop'), undefined],
  ['scaling', rule('patch', 'apps', 'deployments/scale', 'shop'), undefined],
  [
    'exec in a namespace',
    rule('exec', 'core', 'pods', 'shop'),
    'exec',
    /^exec on pods in shop: runs commands in containers$/,
  ],
  ['exec everywhere', rule('exec', 'core', 'pods'), 'admin', /in all namespaces/],
  ['exec in the namespace of the system', rule('exec', 'core', 'pods', 'kube-*'), 'admin'],
  ['attach', rule('attach', 'core', 'pods', 'shop'), 'exec'],
  ['debug', rule('ephemeralcontainers', 'core', 'pods', 'shop'), 'exec'],
  ['a proxy to services', rule('proxy', 'core', 'services', 'shop'), 'exec'],
  ['a proxy to nodes', rule('proxy', 'core', 'nodes'), 'admin', /all containers of nodes/],
  ['a proxy to nodes, in a namespace, where there are none', rule('proxy', 'core', 'nodes', 'shop'), undefined],
  ['creating pods', rule('create', 'core', 'pods', 'shop'), 'exec', /^create on pods in shop: starts programs/],
  ['creating pods everywhere', rule('create', 'core', 'pods'), 'admin'],
  ['changing deployments', rule('patch', 'apps', 'deployments', 'shop'), 'exec'],
  ['changing one deployment', rule('patch', 'apps', 'deployments', 'shop', 'web'), 'exec'],
  ['creating with names, which allows none', rule('create', 'apps', 'deployments', 'shop', 'web'), undefined],
  ['cron jobs', rule('create', 'batch', 'cronjobs', 'shop'), 'exec'],
  ['secrets', rule('get', 'core', 'secrets', 'shop'), 'exec', /reads what programs sign in with/],
  ['all of core', rule('list', 'core', '*'), 'admin', /^list on secrets in all namespaces/],
  ['tokens', rule('token', 'core', 'serviceaccounts', 'shop'), 'exec', /outlive the session/],
  ['role bindings', rule('create', 'rbac.authorization.k8s.io', 'rolebindings', 'shop'), 'exec'],
  ['cluster role bindings', rule('create', 'rbac.authorization.k8s.io', 'clusterrolebindings'), 'admin'],
  ['certificates', rule('create', 'certificates.k8s.io', 'certificatesigningrequests'), 'admin'],
  ['approving certificates', rule('update', 'certificates.k8s.io', 'certificatesigningrequests/approval'), 'admin'],
  ['webhooks', rule('patch', 'admissionregistration.k8s.io', 'mutatingwebhookconfigurations'), 'admin'],
  ['API services', rule('create', 'apiregistration.k8s.io', 'apiservices'), 'admin'],
  ['custom resource definitions', rule('create', 'apiextensions.k8s.io', 'customresourcedefinitions'), 'admin'],
  ['disks', rule('create', 'core', 'persistentvolumes'), 'admin'],
  ['aws-auth', rule('patch', 'core', 'configmaps', 'kube-system'), 'admin', /aws-auth/],
  ['aws-auth by name', rule('patch', 'core', 'configmaps', 'kube-system', 'aws-*'), 'admin'],
  ['another configmap of the system', rule('patch', 'core', 'configmaps', 'kube-system', 'coredns'), undefined],
  ['configmaps elsewhere', rule('patch', 'core', 'configmaps', 'shop'), undefined],
  ['all verbs on all', rule('*', '*', '*', 'shop'), 'exec'],
  ['everything', rule('*', '*', '*'), 'admin'],
]

for (const [what, one, amountsTo, why] of amounts)
  t.test(`${what}: ${amountsTo ? `amounts to ${amountsTo}` : 'no more than it says'}`, async (t) => {
    const found = escalationOf([one])
    t.equal(found?.amountsTo, amountsTo)
    if (why) t.match(found?.why, [why])
    t.same(escalationOf([one, one]), found, 'each reason once')
  })
