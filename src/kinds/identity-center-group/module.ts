import type { KindModule } from '../module.ts'
import { identityCenterGroup as kind } from './kind.ts'
import type { GroupTarget } from './target.ts'

/** Groups of IAM Identity Center, which the discovery of permission sets finds as well. */
export const identityCenterGroup: KindModule<GroupTarget> = kind
