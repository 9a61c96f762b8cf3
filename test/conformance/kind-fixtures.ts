import { newestSession } from '../e2e/books.ts'
import { issueClusterToken, watchPods } from '../e2e/cluster-client.ts'
import { clientFor, issueToken } from '../e2e/database-client.ts'
import { issueMySqlToken, mySqlClientFor } from '../e2e/mysql-client.ts'
import { openShell } from '../e2e/shell-client.ts'
import { arns, shellInstance } from '../sandbox/default-world.ts'
import { mysqlOf } from '../sandbox/sandbox.ts'
import type { KindFixture } from './kind-fixture.ts'

const iamRole: KindFixture = {
  resource: 'ReportsReader',
  roleArn: arns.reports,
  open: async (company) => {
    const body = { resource: 'ReportsReader', level: 'readonly' }
    const { session } = await company.api<{ session: string }>('alice', 'POST', '/api/v1/aws/credentials', body)
    return { id: session }
  },
  prepare: async (company) => () => iamRole.open(company),
  connections: () => 0, // AWS carries its bytes
  replaced: { role: 'arn:aws:iam::111122223333:role/another/ReportsReader' },
  entries: [{ type: 'issued', role: arns.reports, source_identity: 'alice@example.com' }, { type: 'handed-out' }],
  broken: {
    resource: { id: 'iam-role/111122223333/ReportsReader', role: 'ReportsReader', max_session: '13h' },
    level: { policy_arns: ['ReadOnlyAccess'], session: 'long' },
    paths: [
      'resources[0].role',
      'resources[0].max_session',
      'levels[0].readonly.policy_arns',
      'levels[0].readonly.session',
    ],
  },
}

const rdsPostgres: KindFixture = {
  resource: 'orders',
  roleArn: arns.databases,
  open: async (company) => await (await rdsPostgres.prepare(company))(),
  prepare: async (company) => {
    const issued = await issueToken(company)
    return async () => {
      const client = clientFor(company, issued)
      const lost = new Promise<Error>((resolve) => client.on('error', resolve))
      await client.connect()
      const { rows } = await client.query("select current_setting('application_name') as name")
      const id = /ses_[0-9a-z]{26}/.exec(rows[0].name)?.[0] ?? ''
      return { id, leave: () => client.end(), told: async () => (await lost).message }
    }
  },
  connections: ({ sandbox }) => sandbox.databases.orders.connections,
  replaced: { resource_id: 'db-ANOTHER' },
  entries: [{ type: 'target' }, { type: 'query', sql: /application_name/, rows: 1 }],
  broken: {
    resource: {
      id: 'rds-postgres/111122223333/eu-west-1/orders',
      endpoint: 5,
      resource_id: 'orders',
      port: 0,
    },
    level: { db_user: 'a user', max_rows: 0 },
    paths: [
      'resources[0].endpoint',
      'resources[0].resource_id',
      'resources[0].port',
      'levels[0].readonly.db_user',
      'levels[0].readonly.max_rows',
    ],
  },
}

const rdsMysql: KindFixture = {
  resource: 'shop',
  roleArn: arns.databases,
  open: async (company) => await (await rdsMysql.prepare(company))(),
  prepare: async (company) => {
    const issued = await issueMySqlToken(company)
    return async () => {
      const { connection, sessionId, lost } = await mySqlClientFor(company, issued)
      await connection.query('select 1 as one')
      return { id: sessionId, leave: () => connection.end(), told: async () => (await lost).message }
    }
  },
  connections: ({ sandbox }) => mysqlOf(sandbox).shop.connections,
  replaced: { resource_id: 'db-ANOTHER' },
  entries: [{ type: 'target' }, { type: 'query', sql: 'select 1 as one', rows: 1 }],
  broken: {
    resource: { id: 'rds-mysql/111122223333/eu-west-1/shop', endpoint: 5, resource_id: 'shop', port: 0 },
    level: { db_user: 'a user', max_rows: 0 },
    paths: rdsPostgres.broken.paths,
  },
}

const ec2Instance: KindFixture = {
  resource: shellInstance,
  roleArn: arns.shells,
  open: async (company) => {
    const shell = await openShell(company)
    await shell.shows(/\$ /)
    return {
      id: await newestSession(company),
      leave: () => shell.leave(),
      told: async () => (await shell.closes()).screen,
    }
  },
  prepare: async (company) => () => ec2Instance.open(company),
  connections: ({ sandbox }) => sandbox.aws.ssm.sessions.length,
  replaced: null,
  entries: [
    { type: 'terminal', os_user: 'deploy' },
    { type: 'notice' },
    { type: 'output' },
    { type: 'notice' },
    { type: 'end' },
  ],
  broken: {
    resource: {
      id: `ec2-instance/111122223333/eu-west-1/${shellInstance}`,
      platform: 'windows',
      role: 'arn:aws:iam::444455556666:role/Shells',
    },
    level: { document: 'AWS-StartInteractiveCommand', document_digest: 'abc', os_user: 'a user', record_input: 'no' },
    paths: [
      'resources[0].platform',
      'resources[0].role',
      'levels[0].readonly.document',
      'levels[0].readonly.document_digest',
      'levels[0].readonly.os_user',
      'levels[0].readonly.record_input',
    ],
  },
}

const eksCluster: KindFixture = {
  resource: 'web',
  roleArn: arns.clusterView,
  open: async (company) => await (await eksCluster.prepare(company))(),
  prepare: async (company) => {
    const token = await issueClusterToken(company)
    return async () => {
      const { sessionId: id, ended, text, leave } = await watchPods(company, token)
      return {
        id,
        leave: async () => leave(),
        told: async () => {
          await ended
          return text()
        },
      }
    }
  },
  connections: ({ sandbox }) => sandbox.cluster?.connections ?? 0,
  replaced: { endpoint: 'https://fedcba9876543210fedcba9876543210.gr7.eu-west-1.eks.amazonaws.com' },
  entries: [
    { type: 'request', verb: 'watch', resource: 'pods', namespace: 'shop' },
    { type: 'response', status: 200, cut: /revoked/ },
  ],
  broken: {
    resource: { id: 'eks-cluster/111122223333/eu-west-1/web', endpoint: '10.0.0.7' },
    level: { role: 'arn:aws:iam::111122223333:role/View', rules: [{ verbs: ['read'], resources: ['Pods'] }] },
    paths: [
      'resources[0].endpoint',
      'levels[0].readonly.role',
      'levels[0].readonly.rules[0].verbs',
      'levels[0].readonly.rules[0].resources',
    ],
  },
}

/** By the name of the kind. A kind of the registry that is missing here fails the test. */
export const fixtures: Readonly<Record<string, KindFixture>> = {
  'ec2-instance': ec2Instance,
  'eks-cluster': eksCluster,
  'iam-role': iamRole,
  'rds-mysql': rdsMysql,
  'rds-postgres': rdsPostgres,
}
