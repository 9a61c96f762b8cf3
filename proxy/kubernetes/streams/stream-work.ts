import { BrokerError } from '../../session.ts'
import type { RequestAttributes } from '../../wire/kubernetes/attributes.ts'
import { type ExecOptions, readExecOptions } from '../../wire/kubernetes/stream-options.ts'
import { type StreamProtocols, streamProtocols } from '../upgrade.ts'

interface InPod {
  readonly namespace: string
  readonly pod: string
  /** With its query, as it came. */
  readonly path: string
  /** Without its question mark. */
  readonly query: string
}

/** What an upgrade is for. */
export type StreamWork =
  | (InPod & { readonly verb: 'exec' | 'attach'; readonly options: ExecOptions })
  | (InPod & { readonly verb: 'portforward' })

/** @throws BrokerError UNSUPPORTED for anything else; WireError */
export function readStreamWork(attributes: RequestAttributes): StreamWork {
  const { path, query } = attributes
  if (!attributes.isResource || attributes.group !== '' || attributes.resource !== 'pods') throw unsupported()
  const { namespace, name: pod, subresource } = attributes
  if (namespace === '' || pod === '') throw unsupported()
  const inPod = { namespace, pod, path: query === '' ? path : `${path}?${query}`, query }
  if (subresource === 'portforward') return { ...inPod, verb: subresource }
  if (subresource === 'exec' || subresource === 'attach')
    return { ...inPod, verb: subresource, options: readExecOptions(query) }
  throw unsupported()
}

export function protocolsOf({ verb }: StreamWork): StreamProtocols {
  return verb === 'portforward' ? streamProtocols.forward : streamProtocols.exec
}

function unsupported(): BrokerError {
  return new BrokerError('UNSUPPORTED', 'an upgrade is for exec, attach and port-forward alone')
}
