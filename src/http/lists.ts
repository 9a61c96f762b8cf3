import { BrokerError } from '../../proxy/session.ts'
import type { Access } from '../access/access.ts'
import { isOverseer } from '../access/core.ts'
import type { Identity } from '../identity/create-identity.ts'
import { isReferenceTo } from '../identity/names.ts'
import type { Login } from '../identity/principal.ts'
import type { ListPage, ListQuery } from '../store/lists.ts'

export interface ListsDeps {
  readonly identity: Pick<Identity, 'findPrincipal'>
  readonly access: Pick<Access, 'findResource'>
}

/** The query of a list, as it comes in: people and resources by any of their names. */
interface NamedQuery extends Omit<ListQuery, 'principalId' | 'resourceId'> {
  readonly who?: string
  readonly resource?: string
}

/** An id, or a name that stands for itself because nothing that the caller may know of has it. */
export interface Reference {
  readonly id: string
  readonly isKnown: boolean
}

export type Lists = ReturnType<typeof createLists>

/** What every route that lists has in common. */
export function createLists({ identity, access }: ListsDeps) {
  const who = (login: Login, name: string) => findPerson(identity, login, name)
  const resource = (login: Login, name: string) => findResource(access, login, name)
  return {
    who,
    resource,
    /**
     * Reads a page, with names resolved.
     * @throws BrokerError NOT_FOUND for a name that is unknown, or of which the caller may see nothing: both look the same;
     * what is no longer in the directory or the catalog may still be listed by its id. RESOURCE_AMBIGUOUS
     */
    read: async <T>(
      login: Login,
      query: NamedQuery,
      read: (query: ListQuery) => Promise<ListPage<T>>,
    ): Promise<ListPage<T>> => {
      const { who: person, resource: named, ...rest } = query
      const principal = person === undefined ? undefined : await who(login, person)
      const target = named === undefined ? undefined : await resource(login, named)
      const page = await read({
        ...rest,
        ...(principal === undefined ? {} : { principalId: principal.id }),
        ...(target === undefined ? {} : { resourceId: target.id }),
      })
      const isEmpty = page.total === 0 && !page.capped
      if (isEmpty && principal?.isKnown === false) throw nothingOf(person ?? '')
      if (isEmpty && target?.isKnown === false) throw nothingOf(named ?? '')
      return page
    },
  }
}

/** Admins and auditors may know of everyone, others of themselves: of other people they see what they may, or get an error. */
async function findPerson(identity: ListsDeps['identity'], login: Login, name: string): Promise<Reference> {
  const { principal } = login
  if (name === 'me' || isReferenceTo(principal, name)) return { id: principal.id, isKnown: true }
  try {
    return { id: (await identity.findPrincipal(name)).id, isKnown: isOverseer(login) }
  } catch (error) {
    const isAmbiguous = error instanceof BrokerError && error.code === 'RESOURCE_AMBIGUOUS'
    if (isUnknown(error) || (isAmbiguous && !isOverseer(login))) return { id: name, isKnown: false }
    throw error
  }
}

function findResource(access: ListsDeps['access'], login: Login, name: string): Reference {
  try {
    return { id: access.findResource(login, name).id, isKnown: true }
  } catch (error) {
    if (isUnknown(error)) return { id: name, isKnown: false }
    throw error
  }
}

function isUnknown(error: unknown): boolean {
  return error instanceof BrokerError && ['NOT_FOUND', 'RESOURCE_UNKNOWN'].includes(error.code)
}

export function nothingOf(name: string): BrokerError {
  return new BrokerError('NOT_FOUND', `nothing that you may see here belongs to ${name}`, {
    hint: 'check the name; a full id, an e-mail address or a unique name will do',
  })
}
