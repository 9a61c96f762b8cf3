import { BrokerError } from '../../../proxy/session.ts'
import type { GrantView } from '../../contract/grants.ts'
import type { ApiClient } from '../api/api-client.ts'
import { readList } from '../api/read-list.ts'

/**
 * What a person holds in Identity Center is used in its portal, which they sign in to themselves.
 * @param level left out: the one that is held for longest
 * @returns the grant that lasts longest, and the address of the portal
 * @throws BrokerError GRANT_DENIED when it is not there, INVALID_INPUT when the address is not set
 */
export async function portalOf(
  api: ApiClient,
  resource: string,
  level: string | undefined,
): Promise<{ readonly url: string; readonly grant: GrantView }> {
  const { principal } = await api.call('GET /api/v1/whoami')
  const { items } = await readList(api, 'GET /api/v1/grants', { resource, who: principal.id }, { all: true })
  const asked = items.filter((grant) => level === undefined || grant.level === level)
  const [grant] = asked.filter(({ push }) => push?.state === 'granted').sort((a, b) => b.endsAt - a.endsAt)
  if (!grant) throw new BrokerError('GRANT_DENIED', whyNot(asked), { hint: `sallyport request ${resource}` })
  const url = grant.push?.portal
  if (url) return { url, grant }
  throw new BrokerError('INVALID_INPUT', 'the address of the access portal is not set', {
    hint: 'an admin can set inventory.identity_center.portal_url',
  })
}

function whyNot([grant]: readonly GrantView[]): string {
  if (!grant) return 'you hold no grant for it'
  const { push, state } = grant
  return `it is not in Identity Center yet: ${push?.state ?? state}${push?.reason ? `, ${push.reason}` : ''}`
}
