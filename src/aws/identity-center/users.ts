/** People of the identity store of IAM Identity Center (`identitystore`, API version 2020-06-15), found by what is theirs alone. */
import type { User } from '@aws-sdk/client-identitystore'
import { BrokerError } from '../../../proxy/session.ts'
import { allPages } from '../pages.ts'
import { nullIf } from '../service-caller.ts'
import { checkedId } from './checked-ids.ts'
import { createIdentityCenterCallers, type IdentityCenterCallersDeps } from './identity-center-callers.ts'
import type { IdentityCenterInstance } from './picture.ts'

export interface DirectoryUser {
  /** Given to no other person, also not to one of the same name. */
  readonly id: string
  readonly userName: string
  readonly emails: readonly string[]
  /** False also where AWS does not say. */
  readonly isDisabled: boolean
}

export type UserAttribute =
  | { readonly userName: string }
  | { readonly email: string }
  /** What the provider that pushes people calls the person. */
  | { readonly externalId: { readonly issuer: string; readonly id: string } }

/** @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE; the signal's reason once it is aborted */
export interface Directory {
  /**
   * All who have it; upper and lower case are the same in names and addresses. By name or external id one call and one more for the person;
   * by e-mail all people are read, since only then two of one address are seen.
   */
  findUsers(by: UserAttribute, signal: AbortSignal): Promise<readonly DirectoryUser[]>
  /** Null: there is no such person. */
  user(id: string, signal: AbortSignal): Promise<DirectoryUser | null>
}

export interface DirectoryDeps extends IdentityCenterCallersDeps {
  instance(signal: AbortSignal): Promise<Pick<IdentityCenterInstance, 'identityStoreId'>>
}

const MaxResults = 100
const notFound = ['ResourceNotFound']

/** Made once for each region. The SDK is imported with the first call. */
export function createDirectory(deps: DirectoryDeps): Directory {
  const { store } = createIdentityCenterCallers(deps)
  const user: Directory['user'] = async (UserId, signal) => {
    const { identityStoreId: IdentityStoreId } = await deps.instance(signal)
    return await nullIf(notFound, async () => {
      const found = await store('DescribeUser', signal, ({ sdk, client }, options) =>
        client.send(new sdk.DescribeUserCommand({ IdentityStoreId, UserId }), options),
      )
      return toDirectoryUser(found, 'DescribeUser')
    })
  }
  const byEmail = async (email: string, signal: AbortSignal) => {
    const { identityStoreId: IdentityStoreId } = await deps.instance(signal)
    const all = await allPages('ListUsers', async (token) => {
      const page = await store('ListUsers', signal, ({ sdk, client }, options) =>
        client.send(new sdk.ListUsersCommand({ IdentityStoreId, ...token, MaxResults }), options),
      )
      return { items: page.Users, nextToken: page.NextToken }
    })
    const wanted = email.toLowerCase()
    return all
      .map((one) => toDirectoryUser(one, 'ListUsers'))
      .filter(({ emails }) => emails.some((one) => one.toLowerCase() === wanted))
  }
  return {
    user,
    findUsers: async (by, signal) => {
      if ('email' in by) return by.email === '' ? [] : await byEmail(by.email, signal)
      const { identityStoreId: IdentityStoreId } = await deps.instance(signal)
      const AlternateIdentifier =
        'userName' in by
          ? { UniqueAttribute: { AttributePath: 'userName', AttributeValue: by.userName } }
          : { ExternalId: { Issuer: by.externalId.issuer, Id: by.externalId.id } }
      const id = await nullIf(notFound, async () => {
        const { UserId } = await store('GetUserId', signal, ({ sdk, client }, options) =>
          client.send(new sdk.GetUserIdCommand({ IdentityStoreId, AlternateIdentifier }), options),
        )
        return checkedId(UserId, 'GetUserId')
      })
      const found = id === null ? null : await user(id, signal)
      if (found && 'userName' in by && found.userName.toLowerCase() !== by.userName.toLowerCase())
        throw new BrokerError('AWS_UNAVAILABLE', `GetUserId answered with another person than ${by.userName}`)
      return found ? [found] : []
    },
  }
}

type Described = Partial<Pick<User, 'UserId' | 'UserName' | 'Emails' | 'UserStatus'>>

function toDirectoryUser(
  { UserId, UserName = '', Emails = [], UserStatus }: Described,
  operation: string,
): DirectoryUser {
  return {
    id: checkedId(UserId, operation),
    userName: UserName,
    emails: Emails.flatMap(({ Value }) => (Value === undefined ? [] : [Value])),
    isDisabled: UserStatus === 'DISABLED',
  }
}
