/** D8: what an account's trust cannot serve is refused where it is asked for, and never left out without a word. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { everything, policiesOf, unservedFeatures } from '../../src/aws/policies/table.ts'
import { kinds } from '../../src/kinds/registry.ts'
import { openTerminal } from '../src/cli/run-cli.ts'
import { database, folder } from '../src/config/load-text.ts'

// Commands run as processes of their own, which takes long on a busy machine.
t.setTimeout(240_000)

const account = '444455556666'

t.test('D8: config check refuses what needs the hub in an account without it, and no database', async (t) => {
  const check = async (trust: string, resource: object) => {
    const file = path.join(folder(t), 'sallyport.yaml')
    const text = {
      version: 1,
      server: { public_url: 'http://localhost:8443' },
      // biome-ignore lint/suspicious/noTemplateCurlyInString: references look like this
      oidc: { issuer: 'https://login.example.com', client_id: 'a', client_secret: '${env:OIDC_SECRET}' },
      aws: { accounts: { [account]: { trust } } },
      resources: [resource],
    }
    writeFileSync(file, JSON.stringify(text))
    return await openTerminal(t, null, { OIDC_SECRET: 'x' }).run('config', 'check', file)
  }
  const needingTheHub = { id: `iam-role/${account}/Reports`, revocable: true }
  t.match(await check('hub', needingTheHub), { code: 0 }, 'by the hub')
  t.match(await check('web_identity', needingTheHub), {
    code: 1,
    stdout: /resources\[0\][\s\S]*account 444455556666 trusts web_identity/,
  })
  const others = [
    { id: `rds-postgres/${account}/eu-west-1/orders`, ...database },
    { id: `rds-mysql/${account}/eu-west-1/orders`, ...database, role: `arn:aws:iam::${account}:role/Databases` },
    { id: `iam-role/${account}/Reports` },
  ]
  for (const resource of others) t.match(await check('web_identity', resource), { code: 0 }, resource.id)
})

t.test('D8: aws policies prints no trust policy for what that trust cannot do', async (t) => {
  const terminal = openTerminal(t, null)
  const print = (trust: string, ...more: string[]) =>
    terminal.run('aws', 'policies', '--offline', '--trust', trust, '--feature', ...more)
  const stderr = /--feature: revocation cannot be had in accounts that trust web_identity/
  for (const more of [[], ['roles']])
    t.match(await print('web_identity', ...more, 'revocation'), { code: 1, stdout: '', stderr })
  t.match(await print('web_identity', 'roles'), { code: 0, stdout: /sts:AssumeRoleWithWebIdentity/ })
  const databases = await print('web_identity', 'databases')
  t.match(databases, { code: 0, stdout: /sts:AssumeRoleWithWebIdentity[\s\S]*rds-db:connect/ })
  t.notMatch(databases.stdout, /sts:AssumeRole"|SallyportHub|EXTERNAL_ID/, 'nothing of the hub')
  t.match(await print('hub', 'databases'), { code: 0, stdout: /rds-db:connect/ })
})

t.test('D8: which features a trust serves follows from the documents of the kinds', async (t) => {
  const table = policiesOf(kinds)
  const { features } = table
  t.same(unservedFeatures(table, everything(table)), [])
  t.same(unservedFeatures(table, { features, trusts: ['hub'] }), [])
  t.same(
    unservedFeatures(table, { features, trusts: ['web_identity'] }),
    features.filter((feature) => !['roles', 'databases', 'reach', 'shells', 'clusters'].includes(feature)),
  )
})
