/** F4: nothing that any SDK reads ahead of the container endpoint reaches the child of `sallyport aws ROLE exec`. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { roleEnvironment } from '../../src/cli/aws/exec.ts'
import { quietConfig } from '../../src/cli/aws/quiet-config.ts'
import { rivalsIn, withoutRivals } from '../../src/cli/aws/variables.ts'
import { skipWithout } from '../sandbox/programs.ts'

const keys = 'aws_access_key_id = AKIAOWN\naws_secret_access_key = x\n'

interface SetUp {
  /** Below the person's home. */
  readonly files?: Readonly<Record<string, string>>
  /** `~` is the person's home. */
  readonly env?: Readonly<Record<string, string>>
  /** SDKs that would take the person's own keys. */
  readonly fooled: readonly ('botocore' | 'js')[]
}

const both = ['botocore', 'js'] as const
const config = (text: string, env: Readonly<Record<string, string>> = {}) => ({ files: { '.aws/config': text }, env })
const setUps: Readonly<Record<string, SetUp>> = {
  'a config file elsewhere, keys indented': {
    files: { c: `[default]\n  aws_access_key_id = AKIAOWN\n  aws_secret_access_key = x\n` },
    env: { AWS_CONFIG_FILE: '~/c' },
    fooled: both,
  },
  'key: value': { ...config(`[default]\n${keys.replaceAll(' =', ':')}`), fooled: ['botocore'] },
  'keys in capitals': {
    ...config(`[default]\n${keys.toUpperCase().replace('AKIAOWN', 'AKIAOWN')}`),
    fooled: ['botocore'],
  },
  '[profile "default"]': { ...config(`[profile "default"]\n${keys}`), fooled: ['botocore'] },
  '[profile default]': { ...config(`[profile default]\n${keys}`), fooled: both },
  "[profile 'default']": { ...config(`[profile   'default']\n${keys}`), fooled: ['botocore'] },
  'a [DEFAULT] that all profiles inherit': {
    ...config(`[DEFAULT]\n${keys}[default]\nregion = x\n`),
    fooled: ['botocore'],
  },
  'keys that are indented under another setting': {
    ...config(`[default]\nregion = x\n  ${keys.replace('\n', '\n  ')}`),
    fooled: ['js'],
  },
  'lines that end in CR alone': {
    ...config(`[other]\ra = b\r[default]\r${keys.replaceAll('\n', '\r')}`),
    fooled: ['botocore'],
  },
  'lines that end in CRLF': { ...config(`[default]\r\n${keys.replaceAll('\n', '\r\n')}`), fooled: both },
  'a named profile': { ...config(`[profile mine]\n${keys}`, { AWS_PROFILE: 'mine' }), fooled: both },
  'a default profile by name': {
    ...config(`[profile mine]\n${keys}`, { AWS_DEFAULT_PROFILE: 'mine' }),
    fooled: ['botocore'],
  },
  'a process': {
    ...config(`[default]\ncredential_process = echo '{"Version":1,"AccessKeyId":"AKIAOWN","SecretAccessKey":"x"}'\n`),
    fooled: both,
  },
  '~/.aws/credentials': { files: { '.aws/credentials': `[default]\n${keys}` }, fooled: both },
  'a credentials file elsewhere': {
    files: { c: `[default]\n${keys}` },
    env: { AWS_SHARED_CREDENTIALS_FILE: '~/c' },
    fooled: both,
  },
  '~/.boto': { files: { '.boto': `[Credentials]\n${keys}` }, fooled: ['botocore'] },
  BOTO_CONFIG: { files: { b: `[Credentials]\n${keys}` }, env: { BOTO_CONFIG: '~/b' }, fooled: ['botocore'] },
  AWS_CREDENTIAL_FILE: {
    files: { k: 'AWSAccessKeyId=AKIAOWN\nAWSSecretKey=x\n' },
    env: { AWS_CREDENTIAL_FILE: '~/k' },
    fooled: ['botocore'],
  },
  variables: { env: { AWS_ACCESS_KEY_ID: 'AKIAOWN', AWS_SECRET_ACCESS_KEY: 'x' }, fooled: both },
}

const home = mkdtempSync(join(tmpdir(), 'sallyport-home-'))
t.teardown(() => rmSync(home, { recursive: true, force: true }))

/** The environment of a person with this set-up, in a home of its own. */
function environmentOf(name: string, { files = {}, env = {} }: SetUp): NodeJS.ProcessEnv {
  const own = join(home, name.replaceAll(/\W/g, '-'))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(own, path)), { recursive: true })
    writeFileSync(join(own, path), text)
  }
  const { PATH = '' } = process.env
  const set = Object.entries(env).map(([key, value]) => [key, value.replace('~', own)])
  return { PATH, HOME: own, ...Object.fromEntries(set) }
}

/** What an SDK finds in each of the environments. */
async function findings(command: string, args: readonly string[], envs: readonly NodeJS.ProcessEnv[]) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(envs.map((env) => `${JSON.stringify(env)}\n`).join(''))
  let stdout = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  await once(child, 'close')
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { key?: string; method?: string; error?: string })
}

const endpoint = createServer((request, response) => {
  response.statusCode = request.headers.authorization === 'secret' ? 200 : 401
  const Expiration = new Date(Date.now() + 3_600_000).toISOString()
  response.end(JSON.stringify({ AccessKeyId: 'ASIAROLE', SecretAccessKey: 'x', Token: 't', Expiration }))
})
endpoint.listen(0, '127.0.0.1')
await once(endpoint, 'listening')
t.teardown(() => endpoint.close())
const place = { url: `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/`, token: 'secret' }
const cleanup = new AsyncDisposableStack()
t.teardown(() => cleanup.disposeAsync())
const names = Object.keys(setUps)
const theirs = Object.entries(setUps).map(([name, setUp]) => environmentOf(name, setUp))
const ours = await Promise.all(theirs.map((env) => roleEnvironment(env, place, cleanup)))

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const sdks = {
  botocore: ['python3', [file('../e2e/tools/boto3-credentials.py')], skipWithout('python3')],
  js: [process.execPath, [file('../e2e/tools/sdk-credentials.ts')], false],
} as const

for (const [sdk, [command, args, skip]] of Object.entries(sdks))
  t.test(`F4: ${sdk} takes the role, whatever the person has set up`, { skip }, async (t) => {
    const isFooled = ({ fooled }: SetUp) => (fooled as readonly string[]).includes(sdk)
    const [before, after] = await Promise.all([findings(command, args, theirs), findings(command, args, ours)])
    for (const [at, name] of names.entries()) {
      if (isFooled(setUps[name] as SetUp)) t.equal(before[at]?.key, 'AKIAOWN', `${name}: it would take their own`)
      t.equal(after[at]?.key, 'ASIAROLE', `${name} ${JSON.stringify(after[at])}`)
      if (sdk === 'botocore') t.equal(after[at]?.method, 'container-role')
    }
  })

t.test('F4: the AWS CLI takes the role', { skip: skipWithout('aws') }, async (t) => {
  for (const name of ['~/.boto', '[profile "default"]', 'a named profile']) {
    const env = ours[names.indexOf(name)] as NodeJS.ProcessEnv
    const { stdout } = await promisify(execFile)('aws', ['configure', 'list'], { env })
    t.match(stdout, /ROLE +container-role/, name)
  }
})

t.test('F4: variables of every SDK are taken away, others stay', (t) => {
  const rivals =
    `AWS_ACCESS_KEY_ID AWS_ACCESS_KEY AMAZON_ACCESS_KEY_ID EC2_ACCESS_KEY AWS_SECRET_ACCESS_KEY AWS_SECRET_KEY
    AMAZON_SECRET_ACCESS_KEY EC2_SECRET_KEY AWS_SESSION_TOKEN AWS_SECURITY_TOKEN EC2_SECURITY_TOKEN AMAZON_SESSION_TOKEN
    AWS_CREDENTIAL_EXPIRATION AWS_CREDENTIAL_FILE AWS_PROFILE AWS_DEFAULT_PROFILE AWS_ROLE_ARN AWS_ROLE_SESSION_NAME
    AWS_WEB_IDENTITY_TOKEN_FILE AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_CREDENTIALS_FULL_URI
    AWS_CONTAINER_AUTHORIZATION_TOKEN AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE AWS_EC2_METADATA_SERVICE_ENDPOINT
    AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE AWS_EC2_METADATA_DISABLED AWS_BEARER_TOKEN_BEDROCK`.split(/\s+/)
  const others =
    `AWS_REGION AWS_DEFAULT_REGION AWS_DEFAULT_OUTPUT AWS_CA_BUNDLE AWS_ENDPOINT_URL AWS_ENDPOINT_URL_SECRETS_MANAGER
    AWS_RETRY_MODE AWS_MAX_ATTEMPTS AWS_STS_REGIONAL_ENDPOINTS AWS_PAGER AWS_CLI_AUTO_PROMPT AWS_USE_FIPS_ENDPOINT AWS_ACCOUNT_ID
    AWS_EXECUTION_ENV AWS_SDK_LOAD_CONFIG AWS_DATA_PATH PATH HOME GITHUB_TOKEN TF_VAR_profile MY_AWS_PROFILE`.split(
      /\s+/,
    )
  const env = Object.fromEntries([...rivals, ...others].map((name) => [name, 'x']))
  t.same(rivalsIn(env), [...rivals].sort())
  t.same(Object.keys(withoutRivals(env)).sort(), [...others].sort())
  t.end()
})

t.test('F4: Java reads its own properties first; they go, its other options stay', (t) => {
  const options = `-Xmx1g -Daws.accessKeyId=AKIA "-Daws.secretAccessKey=a b" -Daws.region=eu-west-1 -D'aws.profile'=x '-Dname=a b'`
  const left = withoutRivals({
    JAVA_TOOL_OPTIONS: options,
    JDK_JAVA_OPTIONS: '-Xmx1g  -Dx="a  b"',
    OTHER: '-Daws.profile=x',
  })
  t.same(left, {
    JAVA_TOOL_OPTIONS: `-Xmx1g -Daws.region=eu-west-1 '-Dname=a b'`,
    JDK_JAVA_OPTIONS: '-Xmx1g  -Dx="a  b"',
    OTHER: '-Daws.profile=x',
  })
  t.end()
})

t.test('F4: harmless settings of the profile in use stay, and other profiles without their keys', (t) => {
  const text = `region = no
[default]
Region: eu-west-1
aws_access_key_id = AKIA
unknown_setting = x
s3 =
  max_concurrent_requests = 20
  aws_access_key_id = AKIA
sso_session = corp
[profile  mine]
output = json ; comment
role_arn = arn:aws:iam::1:role/x
aws_secret_access_key = x
[sso-session corp]
sso_start_url = https://x
[plugins]
evil = evil
[profile x] [default]
aws_access_key_id = AKIA
`
  const others =
    '[profile mine]\noutput = json ; comment\nrole_arn = arn:aws:iam::1:role/x\n\n[sso-session corp]\nsso_start_url = https://x\n'
  t.equal(
    quietConfig(text, 'default'),
    `[default]\nregion = eu-west-1\ns3 =\n  max_concurrent_requests = 20\n\n${others}`,
  )
  t.equal(quietConfig(text, 'mine'), `[default]\noutput = json ; comment\n\n${others}`)
  t.equal(quietConfig('', 'none'), '[default]\n')
  t.end()
})

t.test('F4: what the tools are shown is gone with the command, and private meanwhile', async (t) => {
  const stack = new AsyncDisposableStack()
  const env = await roleEnvironment(theirs[0] as NodeJS.ProcessEnv, place, stack)
  const shown = env.AWS_CONFIG_FILE ?? ''
  t.equal(readFileSync(shown, 'utf8'), '[default]\n')
  await stack.disposeAsync()
  t.throws(() => readFileSync(shown), { code: 'ENOENT' })
})
