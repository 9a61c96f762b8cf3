import type { Login } from '../../identity/principal.ts'
import { type Core, isOfCaller } from '../core.ts'

interface Wanted {
  readonly resource?: string
  readonly level?: string
  readonly onBehalfOf?: string
  /** That was to be extended. */
  readonly grant?: string
}

/** Asks for access; a refusal is audited with what was typed, since a refused name may be no resource of ours. */
export async function auditRefusal<T>(core: Core, login: Login, wanted: Wanted, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    // Input that makes no sense is no refusal.
    if (isOfCaller(error) && error.code !== 'INVALID_INPUT') {
      const { resource = '', level, onBehalfOf, grant } = wanted
      await core.audit.appendRemoval({
        type: 'request.refused',
        actor: login.principal.id,
        fields: {
          resource: idOf(core, resource),
          level: level?.slice(0, 64) ?? null,
          code: error.code,
          login: login.id,
          ...(grant === undefined ? {} : { grant }),
        },
        text: {
          name: login.principal.name,
          reason: error.message,
          ...(resource === '' ? {} : { asked: resource.slice(0, 256) }),
          ...(onBehalfOf === undefined ? {} : { on_behalf_of: onBehalfOf.slice(0, 256) }),
        },
      })
    }
    throw error
  }
}

/** The resource that an id, or a unique last part, names. */
function idOf({ inForce }: Core, reference: string): string | null {
  const [found, ...more] = inForce.catalog.named(reference)
  return found && more.length === 0 ? found.id : null
}
