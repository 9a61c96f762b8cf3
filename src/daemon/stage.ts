import type { App } from '../http/app.ts'
import type { Stopping } from './stopping.ts'

/** The daemon on a store that it trusts, or closed on one that it does not. */
export interface Stage extends Stopping {
  readonly routes: App['routeTable']
  reload(): Promise<void>
  /**
   * Whether it stops because its log was found damaged, a restore was confirmed elsewhere, or other daemons had given it up: then the
   * daemon judges its store anew.
   */
  beginsAnew(): boolean
  /** Why the daemon must not go on. */
  failure?(): Error | undefined
}
