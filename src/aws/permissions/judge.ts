import type { Obstacle } from '../aws-errors.ts'
import type { Permission } from './permission.ts'
import type { Simulated } from './simulate.ts'

/** What a real call came to; null: there is none that is cheap and changes nothing. */
export interface Called {
  readonly decision: 'allowed' | 'denied' | 'unknown'
  readonly obstacle: Obstacle
  /** Of AWS, or of the way to it. */
  readonly text: string
  /** Where the call itself knows better. */
  readonly fix?: string
}

export interface JudgedPermission {
  readonly permission: Permission
  readonly status: 'ok' | 'failed' | 'unknown'
  readonly simulated: 'allowed' | 'denied' | null
  readonly called: 'allowed' | 'denied' | 'unknown' | null
  readonly detail: string
  readonly fix: string | null
}

export interface Whose {
  /** ARN of the role. */
  readonly role: string
  /** The document that its permissions come from, in words. */
  readonly document: string
  /** Why nothing was simulated; null: it was. */
  readonly notSimulated: string | null
}

/** A real call counts for more than a simulation, which knows neither every policy nor every condition. */
export function judge(
  permission: Permission,
  simulated: Simulated | undefined,
  called: Called | null,
  whose: Whose,
): JudgedPermission {
  const shown = { permission, simulated: simulated?.decision ?? null, called: called?.decision ?? null }
  if (called?.decision === 'allowed') {
    const against = simulated?.decision === 'denied' ? '; the simulation says otherwise' : ''
    return { ...shown, status: 'ok', detail: `a call was answered${against}`, fix: null }
  }
  if (called?.decision === 'denied') {
    const obstacle = called.obstacle ?? simulated?.obstacle ?? null
    return {
      ...shown,
      status: 'failed',
      detail: `a call was refused: ${called.text}`,
      fix: called.fix ?? fixFor(permission, obstacle, whose),
    }
  }
  if (simulated?.decision === 'denied')
    return {
      ...shown,
      status: 'failed',
      detail: `by simulation it is not allowed${words[simulated.obstacle ?? 'none']}`,
      fix: fixFor(permission, simulated.obstacle, whose),
    }
  if (simulated?.decision === 'allowed')
    return { ...shown, status: 'ok', detail: `by simulation it is allowed${lacking(called)}`, fix: null }
  const why = called?.text ?? whose.notSimulated ?? 'AWS gave no answer for it'
  return { ...shown, status: 'unknown', detail: why, fix: called?.fix ?? simulationFix }
}

/** A role that may not be simulated is no fault by itself. */
export const simulationFix =
  'allow iam:SimulatePrincipalPolicy on the role itself, as `sallyport aws policies` prints it'

function lacking(called: Called | null): string {
  return called === null ? '' : `; a call told nothing: ${called.text}`
}

const words = {
  organization: ': a service control policy of the organization is in the way',
  boundary: ": the role's permissions boundary is in the way",
  'explicit-deny': ': a policy of the role denies it',
  none: '',
} as const

function fixFor({ action, resource }: Permission, obstacle: Obstacle, { role, document }: Whose): string {
  if (obstacle === 'organization')
    return `a service control policy denies ${action}: exempt ${role} in it, or attach it elsewhere; only the management account can`
  if (obstacle === 'boundary') return `let the permissions boundary of ${role} allow ${action}`
  if (obstacle === 'explicit-deny') return `remove the Deny of ${action} from the policies of ${role}`
  const on = resource === '*' ? '' : ` on ${resource}`
  return `allow ${action}${on} in the ${document}, as \`sallyport aws policies\` prints it`
}
