import { resourceId, shopId } from '../sandbox/daemon-files.ts'
import { accounts, arns, instances, mysqlInstances } from '../sandbox/default-world.ts'
import type { ConfigOverrides } from '../sandbox/sandbox.ts'

export interface MeasuredDatabases {
  readonly names: readonly (keyof typeof instances)[]
  /** Of 127.0.0.1, where all of them are. */
  readonly port: number
  /** File of the CA that their certificates are of. */
  readonly ca: string
  /** More of what the level means. */
  readonly level?: object | undefined
}

/** Databases that engineers may read for eight hours without asking anyone. */
export function measuredDatabases({ names, port, ca, level }: MeasuredDatabases): ConfigOverrides {
  const databases = names.map((name) => ({ id: resourceId(name), ...instances[name], port: 5432 }))
  return measured('rds-postgres', databases, { port, ca, level })
}

/** The same of the MySQL database. */
export function measuredShop({ port, ca, level }: Omit<MeasuredDatabases, 'names'>): ConfigOverrides {
  return measured('rds-mysql', [{ id: shopId, ...mysqlInstances.shop, port: 3306 }], { port, ca, level })
}

interface Database {
  readonly id: string
  readonly endpoint: string
  readonly resourceId: string
  readonly port: number
}

function measured(
  kind: string,
  databases: readonly Database[],
  { port, ca, level = {} }: Omit<MeasuredDatabases, 'names'>,
): ConfigOverrides {
  const meaning: object = { readonly: { db_user: 'sallyport_ro', databases: ['*'], ...level } }
  return {
    resources: databases.map(({ resourceId, ...database }) => ({
      ...database,
      connect_address: `127.0.0.1:${port}`,
      resource_id: resourceId,
      database: 'orders',
      role: arns.databases,
      ca,
    })),
    levels: [{ for: { kinds: [kind] }, ...meaning }],
    access: [
      {
        name: 'engineers-measure',
        who: { groups: ['engineering'] },
        what: { accounts: [accounts.data] },
        levels: ['readonly'],
        max_duration: '8h',
      },
    ],
  }
}
