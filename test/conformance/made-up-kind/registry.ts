import type { KindModules } from '../../../src/kinds/module.ts'
import { kinds as builtIn } from '../../../src/kinds/registry.ts'
import { madeUp } from './module.ts'

/** The one line by which the product knows it. */
export const kinds: KindModules = [...builtIn, madeUp]
