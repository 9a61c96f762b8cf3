import { resourceId } from '../sandbox/daemon-files.ts'
import { accounts, arns, instances } from '../sandbox/default-world.ts'
import type { ConfigOverrides } from '../sandbox/sandbox.ts'

export interface MeasuredDatabases {
  readonly names: readonly (keyof typeof instances)[]
  /** Of 127.0.0.1, where all of them are. */
  readonly port: number
  /** File of the CA that their certificates are of. */
  readonly ca: string
  /** More of what the level means. */
  readonly level?: object
}

/** Databases that engineers may read for eight hours without asking anyone. */
export function measuredDatabases({ names, port, ca, level = {} }: MeasuredDatabases): ConfigOverrides {
  const meaning: object = { readonly: { db_user: 'sallyport_ro', databases: ['*'], ...level } }
  return {
    resources: names.map((name) => ({
      id: resourceId(name),
      endpoint: instances[name].endpoint,
      port: 5432,
      connect_address: `127.0.0.1:${port}`,
      resource_id: instances[name].resourceId,
      database: 'orders',
      role: arns.databases,
      ca,
    })),
    levels: [{ for: { kinds: ['rds-postgres'] }, ...meaning }],
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
