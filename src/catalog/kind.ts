import type { SessionPermit } from '../../proxy/session.ts'
import type { RoleToTry } from '../aws/onboarding.ts'
import type { Resource } from './resource.ts'

/** A problem in a value, with the path where it is: `endpoint`, `databases[2]`. */
export interface Problem {
  readonly path: string
  readonly message: string
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/**
 * A kind of resource: one optional member for each thing that AWS has for it. Members that no kind has yet
 * (`discover`, `push`, `validate`, `usage`, `risk`) join this interface together with the first kind that needs them.
 */
export interface Kind<Target = unknown, Level = unknown> {
  readonly name: string
  /** Reads endpoint, port and the like from a catalog entry; reports every problem at once. */
  parseTarget(resource: Resource): Parsed<Target>
  /** Reads what the configuration says a level means on this kind; reports every problem at once. */
  parseLevel(raw: unknown): Parsed<Level>
  /** Roles that the broker assumes for it: the onboarding check tries each. */
  roles?(target: Target): readonly RoleToTry[]
  /** What an engine needs to dial: only a permit opens this door. */
  dial?(permit: SessionPermit, target: Target, level: Level): Promise<unknown>
}
