import type { App } from '../http/app.ts'
import type { Stopping } from './stopping.ts'

/** The daemon on a store that it trusts, or closed on one that it does not. */
export interface Stage extends Stopping {
  readonly routes: App['routeTable']
  reload(): Promise<void>
  /** Whether it stops because its log was found damaged: then the daemon goes on, closed. */
  damaged(): boolean
}
