import t from 'tap'
import { isRdsProxy, misfit, rdsLimits, readEndpoint, shownRole } from '../../../../src/kinds/rds/endpoint.ts'

const names: Record<string, [role: string, region: string] | null> = {
  'orders.abc123.eu-west-1.rds.amazonaws.com': ['instance', 'eu-west-1'],
  'Orders.ABC123.EU-WEST-1.rds.amazonaws.com': ['instance', 'eu-west-1'],
  'orders.cluster-abc123.us-gov-west-1.rds.amazonaws.com': ['writer', 'us-gov-west-1'],
  'orders.cluster-ro-abc123.eu-west-1.rds.amazonaws.com': ['reader', 'eu-west-1'],
  'reports.cluster-custom-abc123.eu-west-1.rds.amazonaws.com': ['custom', 'eu-west-1'],
  'pool.proxy-abc123.eu-west-1.rds.amazonaws.com': ['proxy', 'eu-west-1'],
  'readers.endpoint.proxy-abc123.eu-west-1.rds.amazonaws.com': ['proxy', 'eu-west-1'],
  'orders.cluster-abc123.rds.cn-north-1.amazonaws.com.cn': ['writer', 'cn-north-1'],
  'orders.shardgrp-abc123.eu-west-1.rds.amazonaws.com': null,
  'orders.example.internal': null,
  'orders.cluster-abc123.eu-west-1.rds.amazonaws.com.evil.example': null,
}

t.test('what the name of an endpoint says', async (t) => {
  for (const [name, said] of Object.entries(names))
    t.same(readEndpoint(name), said ? { role: said[0], region: said[1] } : undefined, name)
})

t.test('an id that does not belong to the endpoint', async (t) => {
  const [instance = '', , writer = '', reader = '', custom = '', proxy = ''] = Object.keys(names)
  for (const endpoint of [writer, reader, custom]) {
    t.match(misfit(endpoint, 'db-X'), /DbClusterResourceId/)
    t.equal(misfit(endpoint, 'cluster-X'), undefined)
    t.match(misfit(endpoint, 'prx-X'), /none of a proxy/)
  }
  t.match(misfit(proxy, 'cluster-X'), /id of the proxy/)
  t.equal(misfit(proxy, 'prx-X'), undefined)
  t.equal(misfit(instance, 'db-X'), undefined)
  t.equal(misfit(instance, 'cluster-X'), undefined, 'an instance of a cluster')
  t.match(misfit(instance, 'prx-X'), /none of a proxy/)
  t.equal(misfit('orders.example.internal', 'prx-X'), undefined, 'a name of one’s own says nothing')
})

t.test('what lists and approvers are told', async (t) => {
  const [instance = '', , writer = '', reader = '', , proxy = ''] = Object.keys(names)
  t.same([instance, writer, reader, proxy].map(shownRole), [
    {},
    { endpoint: 'writer' },
    { endpoint: 'reader' },
    { endpoint: 'RDS Proxy' },
  ])
  t.ok(isRdsProxy({ resourceId: 'prx-1' }))
  const said = (resourceId: string, trust: 'hub' | 'web_identity' = 'hub', via: string[] = []) =>
    rdsLimits(
      { account: '1', resourceId, via },
      { dbUser: 'app_ro', isPersonal: false },
      { aws: { accounts: { 1: { trust } } } },
    )
  t.match(said('db-1'), [/signs in as app_ro.*each other’s statements/])
  t.equal(said('db-1').length, 1)
  t.match(said('prx-1'), [/app_ro/, /RDS Proxy carries no cancel.*may finish/])
  t.match(said('db-1', 'hub', ['i-1', 'i-2']), [/app_ro/, /reached through i-1 or i-2.*encrypted/])
  t.match(said('db-1', 'web_identity'), [/app_ro/, /Account 1 takes ID tokens.*without the broker/])
})
