import { WireError } from '../wire-error.ts'
import { encodeJson, readObject } from './json.ts'

/** Payload of an acknowledgement: of one message, not of those before it. */
export function encodeAcknowledgement(of: {
  readonly type: string
  readonly id: string
  readonly sequence: number
}): Buffer {
  return encodeJson({
    AcknowledgedMessageType: of.type,
    AcknowledgedMessageId: of.id,
    AcknowledgedMessageSequenceNumber: of.sequence,
    IsSequentialMessage: true,
  })
}

/** @returns the acknowledged sequence number: both references match by it alone @throws WireError */
export function decodeAcknowledgement(payload: Buffer): number {
  const { AcknowledgedMessageSequenceNumber: sequence } = readObject(payload, 'an acknowledgement')
  if (!Number.isSafeInteger(sequence) || (sequence as number) < 0)
    throw new WireError('an acknowledgement has no sequence number')
  return sequence as number
}
