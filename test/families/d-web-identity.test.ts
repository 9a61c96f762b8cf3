/** Who may: in accounts that trust people's own ID tokens, a token is a key to AWS. */
import t from 'tap'
import { renderCloudFormation } from '../../src/aws/policies/render-cloudformation.ts'
import { renderJson } from '../../src/aws/policies/render-json.ts'
import { renderTerraform } from '../../src/aws/policies/render-terraform.ts'
import { kinds } from '../../src/kinds/registry.ts'
import { evaluate } from '../sandbox/aws/evaluate.ts'
import { parsePolicy } from '../sandbox/aws/policy.ts'
import { load } from '../src/config/load-text.ts'

const account = '444455556666'

/** What is said of this configuration. */
async function told(accounts: object, { client_secret }: { client_secret?: string } = {}) {
  const text = JSON.stringify({
    version: 1,
    server: { public_url: 'http://localhost:8443' },
    oidc: { issuer: 'https://login.example.com', client_id: 'a', ...(client_secret ? { client_secret } : {}) },
    aws: { accounts },
  })
  const loaded = await load({ teardown: t.teardown.bind(t) }, text, { env: { X: 'x' } })
  return { loaded, problems: loaded.ok ? [] : loaded.problems }
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: references look like this
const confidential = { client_secret: '${env:X}' }

t.test('D3: accounts that trust ID tokens demand a confidential client, each by its place', async (t) => {
  const personal = { trust: 'web_identity' }
  const expected = {
    path: `aws.accounts.${account}.trust`,
    message: /confidential client.*no oidc\.client_secret/,
    fix: /set oidc\.client_secret/,
  }
  t.match((await told({ [account]: personal })).problems, [expected])
  const two = await told({ [account]: personal, 111122223333: personal, 222233334444: {} })
  t.same(two.problems.map(({ path }) => path).sort(), [
    'aws.accounts.111122223333.trust',
    `aws.accounts.${account}.trust`,
  ])
  t.same((await told({ [account]: personal }, confidential)).problems, [])
})

t.test('D3: where only the hub is trusted a public client stays a warning', async (t) => {
  for (const accounts of [{}, { [account]: {} }, { [account]: { trust: 'hub' } }]) {
    const { loaded } = await told(accounts)
    t.ok(loaded.ok)
    t.match(loaded.ok && loaded.warnings, [{ path: 'oidc', message: /no client_secret/ }])
  }
})

const demands = { sub: 'corp|*', amr: 'mfa', tags: { team: 'platform' } }
const values = {
  partition: 'aws',
  account,
  compute: '',
  hubName: 'SallyportHub',
  hubRole: '',
  externalId: '',
  organization: '',
  connectRole: '',
  revocationPolicy: '',
  databaseUsers: '',
  sessionDocuments: '',
  sessionKeys: '',
  issuer: 'login.example.com',
  clientId: 'sallyport',
}

/** What the generated trust policy says to a token with these keys. */
function verdict(idToken: typeof demands | undefined, keys: Readonly<Record<string, readonly string[]>>) {
  const choice = { features: ['roles'], trusts: ['web_identity'] as const, idToken }
  const [rendered] = renderJson(kinds, choice, { ...values, subject: idToken?.sub ?? '?*' })
  const context = new Map(Object.entries(keys).map(([key, list]) => [key, [...list]]))
  const access = { action: 'sts:AssumeRoleWithWebIdentity', resource: 'role', context }
  return evaluate([parsePolicy(rendered?.document as never, 'trust')], access, () => true)
}

const host = 'login.example.com'
const full = {
  [`${host}:aud`]: ['sallyport'],
  [`${host}:sub`]: ['corp|alice'],
  [`${host}:amr`]: ['pwd', 'mfa'],
  'aws:requesttag/team': ['platform'],
}

t.test('D3: the trust policy demands all that is configured: subject, method and tag', async (t) => {
  t.equal(verdict(demands, full), 'allow')
  for (const [key, wrong] of [
    [`${host}:aud`, 'another'],
    [`${host}:sub`, 'guest|alice'],
    [`${host}:amr`, 'pwd'],
    ['aws:requesttag/team', 'sales'],
  ] as const) {
    t.not(verdict(demands, { ...full, [key]: [wrong] }), 'allow', `${key} is ${wrong}`)
    t.not(verdict(demands, { ...full, [key]: [] }), 'allow', `${key} is absent`)
  }
})

t.test('D3: by default a subject is demanded, and nothing that many providers never send', async (t) => {
  const { [`${host}:aud`]: aud = [], [`${host}:sub`]: subject = [] } = full
  t.equal(verdict(undefined, { [`${host}:aud`]: aud, [`${host}:sub`]: subject }), 'allow')
  t.not(verdict(undefined, { [`${host}:aud`]: aud }), 'allow')
})

t.test('D3: templates demand the same, and their keys last an hour', async (t) => {
  const choice = { features: ['roles'], trusts: ['web_identity'] as const, idToken: demands }
  const terraform = renderTerraform(kinds, choice)['role/main.tf']
  const formation = renderCloudFormation(kinds, choice)['role.yaml']
  for (const text of [terraform, formation]) {
    t.match(text, /:amr": "mfa"/)
    t.match(text, /aws:RequestTag\/team": "platform"/)
    t.match(text, /corp\|\*/)
  }
  t.match(terraform, /variable "max_session" \{[^}]*default {5}= 3600/)
  t.match(formation, /MaxSession:\n {4}Type: Number\n {4}Default: 3600/)
})

t.test('D3: the settings are read, with a pattern for the subject by default', async (t) => {
  const personal = { trust: 'web_identity', id_token: { amr: 'mfa', tags: { team: 'platform' } } }
  const { loaded } = await told({ [account]: personal, 111122223333: {} }, confidential)
  t.match(loaded.ok && loaded.config.aws.accounts, {
    [account]: { idToken: { sub: '?*', amr: 'mfa', tags: { team: 'platform' } } },
    111122223333: { idToken: { sub: '?*', amr: null } },
  })
  const quoted = { trust: 'web_identity', id_token: { sub: 'a"b' } }
  t.match((await told({ [account]: quoted }, confidential)).problems, [{ path: /id_token\.sub/ }])
})
