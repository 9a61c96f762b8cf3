import type { Directory } from '../aws/identity-center/users.ts'
import type { CatalogEntry } from '../catalog/resource.ts'
import type { UnrecordedView } from '../contract/identity-center/pushes.ts'
import type { ListPage } from '../store/lists.ts'
import type { Links } from './links.ts'
import { keyOf, type Membership } from './membership.ts'
import type { Pusher } from './pusher.ts'
import type { PushBooks, Wants } from './reconcile-ports.ts'

export interface UnrecordedDeps {
  readonly books: Pick<PushBooks, 'open'>
  readonly links: Pick<Links, 'all'>
  directory(): Pick<Directory, 'user'>
  readonly wants: () => Wants
  readonly pusherOf: (kind: string) => Pick<Pusher, 'observeAll'>
}

export interface UnrecordedQuery {
  readonly limit?: number
  /** Id of the resource before. */
  readonly cursor?: string
}

/** Each costs AWS a call, and all wait for each other. */
const mostResources = 25
const timeoutMs = 60_000

/**
 * Who has something directly in AWS of which the broker has no record: what others gave, and what it gave itself after the backup that
 * its store was restored from. AWS tells them apart by nothing, so an admin does. A page ends behind the resource with which it is full.
 * @param entries of kinds that are written to AWS
 * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE
 */
export async function findUnrecorded(
  { books, links, directory, wants, pusherOf }: UnrecordedDeps,
  entries: readonly CatalogEntry[],
  { limit = 100, cursor }: UnrecordedQuery,
): Promise<ListPage<UnrecordedView>> {
  const signal = AbortSignal.timeout(timeoutMs)
  const behind = entries.filter(({ id }) => cursor === undefined || id > cursor).sort((a, b) => (a.id < b.id ? -1 : 1))
  const known = new Set((await books.open()).map(({ membership }) => keyOf(membership)))
  const { byKey } = wants()
  const items: UnrecordedView[] = []
  const names = new Map<string, Promise<string | null>>()
  const nameOf = (userId: string) => {
    const name = names.get(userId) ?? readName(userId)
    names.set(userId, name)
    return name
  }
  let next: string | null = null
  for (const [index, entry] of behind.entries()) {
    if (index === mostResources || items.length >= limit) {
      next = behind[index - 1]?.id ?? null
      break
    }
    const seen = await pusherOf(entry.kind).observeAll({ resource: entry, target: entry.target }, signal)
    for (const membership of seen.filter((one) => !known.has(keyOf(one)))) items.push(await view(entry, membership))
  }
  return { items, next, total: items.length, capped: next !== null || cursor !== undefined }

  async function readName(userId: string): Promise<string | null> {
    return (await directory().user(userId, signal))?.userName ?? null
  }

  async function view({ id: resource, kind }: CatalogEntry, membership: Membership): Promise<UnrecordedView> {
    const { userId } = membership
    return {
      resource,
      kind,
      userId,
      userName: await nameOf(userId),
      principals: links.all.flatMap((link) => (link.userId === userId ? [link.principalId] : [])),
      grants: [...(byKey.get(keyOf(membership))?.grants ?? [])],
    }
  }
}
