/** What people are told that a level gives, and by which commands it is used, of every kind that can be requested. */
import t from 'tap'
import type { Kind } from '../../../src/catalog/kind.ts'
import { kinds } from '../../../src/kinds/registry.ts'
import { faultOf } from '../../docs/command-faults.ts'

const digest = 'a'.repeat(64)

/** One level of each kind that has all that there is, and what of a target it is about. */
const examples: Record<string, { level: unknown; target: object; means: string[]; titles: string[] }> = {
  'rds-postgres': {
    level: { db_user: 'ro', databases: ['a', 'b'], max_rows: 1000, statement_timeout: '30s', max_session_minutes: 60 },
    target: {},
    means: [
      'database user: ro',
      'databases: a, b',
      'rows of one statement: 1,000 at most',
      'time of one statement: 30s at most',
      'one session: 1h at most',
    ],
    titles: ['psql', 'any client, by a local port'],
  },
  'rds-mysql': {
    level: { db_user: 'ro', max_session_bytes: '1MB', max_session_rows: 2000 },
    target: {},
    means: [
      'database user: ro',
      'databases: all that this user may open',
      'one session: 1,000,000 bytes, 2,000 rows at most',
    ],
    titles: ['mysql', 'any client, by a local port'],
  },
  'ec2-instance': {
    level: {
      ...{ document: 'Sallyport-Shell', document_digest: digest, os_user: 'deploy', record_input: true },
      ...{ command_document: 'Sallyport-Command', command_document_digest: digest },
      ...{ ssh: 'restricted', forward: ['localhost:8080'], copy: ['down', 'up'] },
    },
    target: { instanceId: 'i-0a1b2c3d4e5f60718' },
    means: [
      'instance: i-0a1b2c3d4e5f60718',
      'user of the system: deploy',
      'ways in: shell, single commands, SSH without forwarding, files from it, files to it',
      'forwarded ports: localhost:8080',
      'recorded: what is shown and what is typed',
    ],
    titles: ['shell', 'one command', 'ssh, scp, rsync', 'a file from it', 'a file to it', 'port localhost:8080'],
  },
  'eks-cluster': {
    level: {
      role: 'sallyport-{cluster}-view',
      rules: [
        { verbs: ['get', 'list'], resources: ['pods', 'pods/log'], namespaces: ['shop'], names: ['web-*'] },
        { verbs: ['*'], groups: ['apps', 'core'], resources: ['*'] },
      ],
    },
    target: { partition: 'aws', account: '111122223333', cluster: 'main' },
    means: [
      'role in AWS: arn:aws:iam::111122223333:role/sallyport-main-view',
      'allows: get, list of pods, pods/log in shop, named web-*',
      'allows: everything of all resources (apps, core) everywhere',
    ],
    titles: ['kubectl, by a context of its own'],
  },
  'iam-role': {
    level: {
      policy_arns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'],
      session_policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] },
      session_tags: { ticket: '{ticket}' },
      session: '30m',
    },
    target: { roleArn: 'arn:aws:iam::111122223333:role/Reports' },
    means: [
      'role: arn:aws:iam::111122223333:role/Reports',
      'allows: of what the role may do, only what these allow too',
      'policy: arn:aws:iam::aws:policy/ReadOnlyAccess',
      'session policy: {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}',
      'session tag ticket: {ticket}',
      'one set of credentials: 30m at most',
    ],
    titles: ['AWS CLI', 'console', 'variables for a shell', 'profiles in ~/.aws/config'],
  },
  'permission-set': {
    level: { assigned: true, longest_session: '4h' },
    target: {
      ...{ account: '111122223333', name: 'Reader', boundary: 'arn:aws:iam::aws:policy/PowerUserAccess' },
      ...{ policies: ['arn:aws:iam::aws:policy/ReadOnlyAccess'], hasInlinePolicy: true, sessionMs: 3_600_000 },
    },
    means: [
      'permission set: Reader',
      'account: 111122223333',
      'policy: arn:aws:iam::aws:policy/ReadOnlyAccess',
      'policy: one of its own, inline',
      'bounded by: arn:aws:iam::aws:policy/PowerUserAccess',
      'one session: 1h',
    ],
    titles: ['the access portal', 'profiles in ~/.aws/config'],
  },
  'identity-center-group': {
    level: { member: true },
    target: { id: 'b1f00d00-0000-4000-8000-000000000001', title: 'engineers', assignments: 2 },
    means: [
      'group: engineers',
      'id: b1f00d00-0000-4000-8000-000000000001',
      'its members have: 2 permission sets in accounts',
    ],
    titles: [],
  },
}

const requestable: readonly Kind[] = kinds.filter((kind: Kind) => kind.level !== undefined)

t.test('every kind that can be requested says what a level gives', async (t) => {
  for (const kind of requestable) {
    const { level, target, means } = examples[kind.name] ?? {}
    if (kind.means === undefined || level === undefined) {
      t.fail(`${kind.name} has no means, or none that is tested`)
      continue
    }
    const read = kind.level?.read(level)
    if (!read?.ok) throw new Error(JSON.stringify(read))
    t.same(
      kind.means(read.value, target).map(({ label, value }) => `${label}: ${value}`),
      means,
      kind.name,
    )
  }
  t.ok(requestable.length >= 7)
})

t.test('its commands are those of the command line, with a name and the options that are needed', async (t) => {
  for (const kind of requestable) {
    const { level, target, titles } = examples[kind.name] ?? {}
    const read = kind.level?.read(level)
    if (!read?.ok) throw new Error(JSON.stringify(read))
    const given = kind.commands?.(read.value, target, { name: 'NAME', options: ['--level', 'x'] }) ?? []
    t.same(
      given.map(({ title }) => title),
      titles,
      kind.name,
    )
    for (const { words } of given) {
      const [program, ...rest] = words
      t.equal(program, 'sallyport')
      t.equal(faultOf(rest.join(' ')), undefined, rest.join(' '))
      if (rest[1] !== 'configure') t.match(rest.join(' '), '--level x')
    }
  }
})
