import type { KindModule } from '../module.ts'
import { identityCenterGroup as kind } from './kind.ts'
import type { GroupLevel } from './level.ts'
import type { GroupTarget } from './target.ts'

/** Groups of IAM Identity Center, which the discovery of permission sets finds as well; a person is in one while a grant lives. */
export const identityCenterGroup: KindModule<GroupTarget, GroupLevel> = {
  ...kind,
  start: async (parts) => {
    const { atHome } = await import('../identity-center/at-home.ts')
    return { push: atHome(parts, ({ groups }) => groups) }
  },
}
