/** Queries of the subresources that streams go by (API reference, PodExecOptions, PodAttachOptions, PodPortForwardOptions). */
import { WireError } from '../wire-error.ts'
import { flag, readQuery, single } from './path.ts'

/** What exec and attach ask for. */
export interface ExecOptions {
  /** Empty for attach. */
  readonly command: readonly string[]
  /** Empty: the only one, or the default one. */
  readonly container: string
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

/** @throws WireError */
export function readExecOptions(query: string): ExecOptions {
  const parameters = readQuery(query)
  return {
    command: parameters.get('command') ?? [],
    container: single(parameters, 'container') ?? '',
    stdin: flag(parameters, 'stdin'),
    stdout: flag(parameters, 'stdout'),
    stderr: flag(parameters, 'stderr'),
    tty: flag(parameters, 'tty'),
  }
}

/** Of one connection; clients name a few. */
const mostPorts = 256

/** Ports that a forwarding websocket without SPDY has, in the order of their channels. @throws WireError */
export function readForwardPorts(query: string): number[] {
  const ports = (readQuery(query).get('ports') ?? []).flatMap((value) => value.split(',')).map(readPort)
  if (ports.length > mostPorts) throw new WireError('too many ports to forward')
  return ports
}

/** @param text decimal @throws WireError */
export function readPort(text: string): number {
  const port = /^[1-9][0-9]{0,4}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_535) throw new WireError('no such port to forward')
  return port
}
