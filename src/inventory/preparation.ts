import { BrokerError } from '../../proxy/session.ts'
import type { Access } from '../access/access.ts'
import { type Kinds, kindNamed, type Surroundings } from '../catalog/kind.ts'
import type { Preparation } from '../contract/aws.ts'
import type { Login } from '../identity/principal.ts'

interface PreparationDeps {
  readonly access: Pick<Access, 'findResource' | 'levelsOf'>
  readonly config: Surroundings
  readonly kinds: Kinds
}

/** What is run once so that a resource takes the sign-ins of its levels, as they are now. */
export function createPreparation({ access, config, kinds }: PreparationDeps) {
  /**
   * @param loginName what one person needs: the levels that hold `{login}`, and no others
   * @throws BrokerError LEVEL_UNKNOWN, LOGIN_NAME_UNUSABLE, RESOURCE_UNKNOWN, RESOURCE_AMBIGUOUS, UNSUPPORTED
   */
  return (login: Login, reference: string, loginName?: string): Preparation => {
    const resource = access.findResource(login, reference)
    const kind = kindNamed(kinds, resource.kind)
    if (!kind?.prepare)
      throw new BrokerError('UNSUPPORTED', `${resource.id} needs no preparation of its own`, {
        hint: 'what its account needs is shown by: sallyport aws policies',
      })
    const levels = access.levelsOf(resource, loginName)
    if (levels.size === 0)
      throw new BrokerError(
        'LEVEL_UNKNOWN',
        loginName === undefined
          ? `no entry of levels is for ${resource.id}`
          : `no level of ${resource.id} holds {login}`,
      )
    return {
      resource: resource.id,
      steps: kind.prepare(resource.target, levels, config).map((step) => ({ ...step, levels: [...step.levels] })),
    }
  }
}
