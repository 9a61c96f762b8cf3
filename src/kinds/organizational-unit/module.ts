import type { KindModule } from '../module.ts'
import type { NodeTarget } from '../organization/node-target.ts'
import { organizationalUnit as kind } from './kind.ts'

/** Units of the organization. */
export const organizationalUnit: KindModule<NodeTarget> = kind
