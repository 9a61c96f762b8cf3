import type { RdsCluster, RdsInstance } from './aws/world.ts'

interface Where {
  readonly account: string
  readonly region: string
}

type Known = Readonly<Record<'orders' | 'billing' | 'shop', { readonly resourceId: string; readonly endpoint: string }>>

/** As RDS shows the databases of the sandbox. */
export function createDatabases(where: Where, { orders, billing, shop }: Known): RdsInstance[] {
  const at = (host: string, port: number) => ({ endpoint: { host, port } })
  return [
    createInstance(where, 'orders', {
      ...{ resourceId: orders.resourceId, ...at(orders.endpoint, 5432), database: 'orders' },
      tags: { env: 'prod', team: 'shop' },
    }),
    createInstance(where, 'billing', {
      ...{ resourceId: billing.resourceId, ...at(billing.endpoint, 5432), database: 'billing' },
      tags: { env: 'staging', team: 'finance' },
    }),
    createInstance(where, 'shop', {
      ...{ resourceId: shop.resourceId, ...at(shop.endpoint, 3306), engine: 'mysql', version: '8.0.39' },
      tags: { env: 'prod', team: 'shop', 'sallyport:database': 'orders' },
    }),
  ]
}

/** A PostgreSQL that is there. */
export function createInstance(where: Where, name: string, more: Partial<RdsInstance> = {}): RdsInstance {
  return {
    ...shared(where, name),
    engine: 'postgres',
    version: '16.4',
    resourceId: `db-${name.toUpperCase().replaceAll('-', '')}0000000000001`,
    endpoint: { host: `${name}.abc123.${where.region}.rds.amazonaws.com`, port: 5432 },
    isPublic: false,
    ca: 'rds-ca-rsa2048-g1',
    cluster: null,
    ...more,
  }
}

/** An Aurora PostgreSQL with a writer, a reader and no custom endpoint, and its members as RDS lists them. */
export function createCluster(
  where: Where,
  name: string,
  more: Partial<RdsCluster> = {},
): { readonly cluster: RdsCluster; readonly instances: RdsInstance[] } {
  const cluster: RdsCluster = {
    ...shared(where, name),
    engine: 'aurora-postgresql',
    version: '16.4',
    resourceId: `cluster-${name.toUpperCase().replaceAll('-', '')}0000000000001`,
    endpoint: { host: `${name}.cluster-abc123.${where.region}.rds.amazonaws.com`, port: 5432 },
    reader: `${name}.cluster-ro-abc123.${where.region}.rds.amazonaws.com`,
    custom: [],
    members: [`${name}-1`, `${name}-2`],
    writer: 0,
    ...more,
  }
  const instances = cluster.members.map((member) =>
    createInstance(where, member, { engine: cluster.engine, cluster: name, hasIam: false, database: cluster.database }),
  )
  return { cluster, instances }
}

function shared(where: Where, name: string) {
  return {
    ...{ ...where, name, status: 'available', database: null, hasIam: true },
    createdAt: Date.parse('2024-03-01T09:30:00Z'),
    tags: {},
  }
}
