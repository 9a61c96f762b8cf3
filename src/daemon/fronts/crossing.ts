/** The doorman and the controls of a front as they cross: by name, each a call or a push. */
import type { Doorman, SessionControls } from '../../../proxy/doorman.ts'
import type { Place } from '../../../proxy/place.ts'
import type { Handlers, Rpc } from './rpc.ts'

type Name = Exclude<keyof Doorman, 'place'>

/** Those that answer. */
const calls = [
  'tokenKeys',
  'identify',
  'open',
  'lease',
  'leaseToEnd',
  'openTunnel',
  'tunnelTicket',
  'endTunnel',
  'channelTicket',
  'channelKey',
  'endChannel',
  'resumeKey',
  'resume',
  'started',
  'end',
  'cancel',
  'stop',
  'mayCancel',
] as const satisfies readonly Name[]
const pushes = [
  'cancelled',
  'refused',
  'unidentifiedClientFailed',
  'phase',
  'report',
] as const satisfies readonly Name[]
type Missing = Exclude<Name, (typeof calls)[number] | (typeof pushes)[number]>

/** For the engines of a front. */
export function doormanBy(rpc: Pick<Rpc, 'call' | 'push'>, place: Place): Doorman {
  const sent = Object.fromEntries([
    ...calls.map((name) => [name, (...values: unknown[]) => rpc.call(name, ...withoutTail(values))] as const),
    ...pushes.map((name) => [name, (...values: unknown[]) => rpc.push(name, ...values)] as const),
  ])
  return { place, ...(sent as unknown as Omit<Doorman, 'place'>) } satisfies Record<Missing | 'place', unknown>
}

/** What a front may call of control. */
export function doormanHandlers(doorman: Doorman): Handlers {
  const names: readonly Name[] = [...calls, ...pushes]
  return Object.fromEntries(
    names.map((name) => [name, (...values: never[]) => (doorman[name] as (...of: never[]) => unknown)(...values)]),
  )
}

/** What control may call of a front. */
export function controlsHandlers(controls: SessionControls): Handlers {
  return {
    cut: (...of: Parameters<SessionControls['cut']>) => controls.cut(...of),
    runsUntil: (...of: Parameters<SessionControls['runsUntil']>) => controls.runsUntil(...of),
    tell: (...of: Parameters<SessionControls['tell']>) => controls.tell(...of),
    drain: () => controls.drain(),
    cancel: (...of: Parameters<SessionControls['cancel']>) => controls.cancel(...of),
    stop: (...of: Parameters<SessionControls['stop']>) => controls.stop(...of),
    endLost: (...of: Parameters<SessionControls['endLost']>) => controls.endLost(...of),
  } as Handlers
}

/** JSON has no undefined: what is left out at the end stays so. */
function withoutTail(values: readonly unknown[]): readonly unknown[] {
  const last = values.findLastIndex((value) => value !== undefined)
  return values.slice(0, last + 1)
}
