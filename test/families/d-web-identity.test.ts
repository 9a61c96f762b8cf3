/** Who may: in accounts that trust people's own ID tokens, a token is a key to AWS. */
import t from 'tap'
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
