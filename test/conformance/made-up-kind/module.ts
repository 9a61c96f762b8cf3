import type { KindModule } from '../../../src/kinds/module.ts'
import { madeUpThing, type ThingLevel, type ThingTarget } from './kind.ts'

export const madeUp: KindModule<ThingTarget, ThingLevel> = {
  ...madeUpThing,
  start: async (parts) => (await import('./start.ts')).start(parts),
  carry: async (parts) => (await import('./carry.ts')).carry(parts),
}
