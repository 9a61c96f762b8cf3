import { fileURLToPath } from 'node:url'
import t from 'tap'
import { rulesCheck } from '../../../src/access/rules/load-rules.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { configSchema } from '../../../src/config/schema.ts'
import { kinds } from '../../../src/kinds/registry.ts'

const checks = [rulesCheck(kinds)]
const pathOf = (name: string, folder = 'config') =>
  fileURLToPath(new URL(`../../../${folder}/${name}`, import.meta.url))

t.test('config/minimal.yaml needs nothing from its surroundings', async (t) => {
  const loaded = await loadConfig(pathOf('minimal.yaml'), { env: {}, checks, kinds })
  t.same(loaded.ok ? [] : loaded.problems, [])
})

t.test('config/example.yaml is right, without a warning, and shows every section', async (t) => {
  const loaded = await loadConfig(pathOf('example.yaml'), { env: { OIDC_SECRET: 'x' }, checks, kinds })
  t.same(loaded.ok ? loaded.warnings : loaded.problems, [])
  const { parse } = await import('yaml')
  const { readFile } = await import('node:fs/promises')
  t.same(
    Object.keys(parse(await readFile(pathOf('example.yaml'), 'utf8'))).sort(),
    Object.keys(configSchema(kinds).properties).sort(),
  )
})

t.test('the secrets that config/example.yaml needs are the ones it lists', async (t) => {
  const loaded = await loadConfig(pathOf('example.yaml'), { env: {}, checks, kinds })
  t.same(loaded.ok ? [] : loaded.problems.map(({ message }) => message), [
    'environment variable OIDC_SECRET is not set',
  ])
})

t.test('deploy/compose/sallyport.yaml lacks what people put beside it, and nothing else', async (t) => {
  const env = { OIDC_SECRET: 'x', PEER_URL: 'https://sallyport-a:8443', BALANCER: '172.30.83.2' }
  const loaded = await loadConfig(pathOf('sallyport.yaml', 'deploy/compose'), { env, checks, kinds })
  const problems = loaded.ok ? [] : loaded.problems.map(({ path }) => path)
  t.same(problems, ['server.tls.cert', 'server.tls.key', 'store.password'])
})
