import type { KindModule } from '../module.ts'
import type { NodeTarget } from '../organization/node-target.ts'
import { account as kind } from './kind.ts'

/** Accounts of the organization. */
export const account: KindModule<NodeTarget> = kind
