import type { AssumeRoleInput } from './assume-role-input.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'

/** A request as it came; not yet believed. */
export interface WireCall {
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
  /** That it was signed for; empty: none. */
  readonly region: string
  /** Epoch milliseconds by the double's clock. */
  readonly now: number
  /** Aborted when the client has left without its answer. */
  readonly gone: AbortSignal
}

/** What a request asks for. */
export interface Asked {
  /** e.g. `ListAccounts` */
  readonly action: string
  readonly parameters: Readonly<Record<string, string>>
  /** As the protocol carries it, for judges of the wire; left out: none judges it. */
  readonly input?: unknown
  /** Its signature is not looked at. */
  readonly isUnsigned?: true
  /** @param note more of what the double remembers of the call @throws AwsFault */
  answer(caller: Caller | null, note: (more: Noted) => void): string | Buffer | Promise<string>
}

export interface Noted {
  readonly parameters?: Readonly<Record<string, string>>
  readonly assumeRole?: AssumeRoleInput
  readonly packedPolicySize?: number | null
}

/** How one service is spoken to. */
export interface Service {
  /** In AWS's models, where it signs for another name. */
  readonly modelName?: string
  readonly contentType: string
  /** It is one endpoint for the partition, and signs for its first region. */
  readonly isGlobal?: true
  /** @throws AwsFault */
  read(call: WireCall): Asked
  error(fault: AwsFault): { readonly status: number; readonly text: string; readonly type?: string }
}

/** @throws AwsFault MalformedInput for anything but one form in the body of a POST to `/` */
export function readForm({ method, target, headers, body }: WireCall): Map<string, string> {
  if (method !== 'POST' || target !== '/')
    throw new AwsFault('MalformedInput', 400, 'this endpoint takes POST / with a form')
  if (!/^application\/x-www-form-urlencoded(;|$)/.test(String(headers['content-type'] ?? '')))
    throw new AwsFault('MalformedInput', 400, 'the body must be application/x-www-form-urlencoded')
  const parameters = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(body.toString('utf8'))) {
    if (parameters.has(name)) throw new AwsFault('MalformedInput', 400, `${name} is given twice`)
    parameters.set(name, value)
  }
  return parameters
}
