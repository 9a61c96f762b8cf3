import { type DatabaseSeen, type Endpoint, readDatabases } from '../../aws/estate/databases.ts'
import { rdsCaller } from '../../aws/estate/rds.ts'
import type { Resource } from '../../catalog/resource.ts'
import type { Discovery, DiscoveryParts, Place } from '../../inventory/discovery.ts'
import { databaseFindings } from './findings.ts'

type Where = Pick<Place, 'partition' | 'account'> & { readonly region: string }

/** Databases of both engines. A changed one is read with all of its region: that is two or three calls. */
export function databaseDiscoveries(parts: DiscoveryParts): readonly Discovery[] {
  const callAt = rdsCaller(parts)
  return [
    {
      name: 'rds',
      per: 'region',
      service: 'rds',
      read: async (place, { signal, onProgress }) => {
        const { partition, account, region } = place
        if (region === null) return []
        const databases = await readDatabases(callAt({ partition, account, region }), account, {
          signal,
          onPage: (done) => onProgress?.({ phase: 'databases', done }),
        })
        return toResources(databases, { partition, account, region })
      },
    },
  ]
}

/**
 * One resource for each instance and each cluster; of a cluster one more for its readers, NAME.reader, and for each custom endpoint,
 * NAME.custom-ENDPOINT. Names of AWS have no dots. Where an instance and a cluster of one protocol have the same name the older one has it, and
 * the other is NAME.instance or NAME.cluster, so that what comes later takes no name away. What has no endpoint yet is left out. Pure.
 */
export function toResources(databases: readonly DatabaseSeen[], where: Where): Resource[] {
  const ready = databases.filter(({ endpoint }) => endpoint !== null)
  const byName = Map.groupBy(ready, ({ protocol, name }) => `${protocol}/${name}`)
  return ready.flatMap((one) => {
    const twins = byName.get(`${one.protocol}/${one.name}`) ?? []
    const isFirst = twins.every((twin) => twin === one || isOlder(one, twin))
    const name = isFirst ? one.name : `${one.name}.${one.type}`
    const { endpoint, reader, custom } = one
    return [
      ...(endpoint === null ? [] : [toResource(one, name, endpoint, where)]),
      ...(reader === null ? [] : [toResource(one, `${name}.reader`, reader, where)]),
      ...custom.map((at) => toResource(one, `${name}.custom-${at.name}`, at, where)),
    ]
  })
}

function isOlder(one: DatabaseSeen, other: DatabaseSeen): boolean {
  return one.createdAt === other.createdAt ? one.resourceId < other.resourceId : one.createdAt < other.createdAt
}

function toResource(one: DatabaseSeen, name: string, { host, port }: Endpoint, where: Where): Resource {
  const { partition, account, region } = where
  const { protocol, engine, version, resourceId, status, members, hasIam, ca, tags } = one
  const kind = protocol === 'postgres' ? 'rds-postgres' : 'rds-mysql'
  const database = databaseOf(tags['sallyport:database']) ?? databaseOf(one.database)
  const risk = databaseFindings(one)
  return {
    id: `${kind}/${account}/${region}/${name}`,
    kind,
    partition,
    organization: null,
    account,
    region,
    name,
    tags,
    attributes: {
      endpoint: host.toLowerCase(),
      ...(port > 0 ? { port } : {}),
      resource_id: resourceId,
      ...(database === null ? {} : { database }),
      engine: version === '' ? engine : `${engine} ${version}`,
      status,
      iam: hasIam,
      ...(members.length === 0 ? {} : { members }),
      ...(ca === null ? {} : { authority: ca }),
    },
    source: 'discovery',
    ...(risk.length === 0 ? {} : { risk }),
  }
}

/** Anyone who may tag a database can write anything: what is no name of a database counts as not there. */
function databaseOf(text: string | null | undefined): string | null {
  return text && /^[\p{L}\p{N}_$.@ -]{1,64}$/u.test(text) && text.trim() === text ? text : null
}
