/**
 * Messages of the data channel as the agent reads and writes them (`AgentMessage` in aws/amazon-ssm-agent, agent/session/contracts).
 * Stricter than the agent with what a client sends: what it would let pass by chance is a fault here.
 */
import { createHash } from 'node:crypto'

export interface AgentFrame {
  readonly type: string
  readonly sequence: number
  readonly flags: number
  /** UUID as text. */
  readonly id: string
  readonly payloadType: number
  readonly payload: Buffer
}

/** What agent or gateway would refuse, or what would get lost. */
export class ProtocolFault extends Error {}

const headerBytes = 116
const payloadAt = 120

export function buildFrame(frame: AgentFrame, createdAt: number): Buffer {
  const head = Buffer.alloc(payloadAt)
  head.writeUInt32BE(headerBytes, 0)
  head.fill(' ', 4, 36)
  head.write(frame.type, 4)
  head.writeUInt32BE(1, 36)
  head.writeBigUInt64BE(BigInt(createdAt), 40)
  head.writeBigInt64BE(BigInt(frame.sequence), 48)
  head.writeBigUInt64BE(BigInt(frame.flags), 56)
  const id = Buffer.from(frame.id.replaceAll('-', ''), 'hex')
  id.copy(head, 64, 8, 16)
  id.copy(head, 72, 0, 8)
  createHash('sha256').update(frame.payload).digest().copy(head, 80)
  head.writeUInt32BE(frame.payloadType, 112)
  head.writeUInt32BE(frame.payload.length, 116)
  return Buffer.concat([head, frame.payload])
}

/** @throws ProtocolFault */
export function parseFrame(bytes: Buffer): AgentFrame {
  const demand = (holds: boolean, what: string) => {
    if (!holds) throw new ProtocolFault(what)
  }
  demand(bytes.length > payloadAt, `a message of ${bytes.length} bytes`)
  demand(bytes.readUInt32BE(0) === headerBytes, 'a header length other than 116')
  const padded = bytes.toString('latin1', 4, 36)
  const type = padded.trimEnd()
  demand(/^[a-z_]+ *$/.test(padded), `a message type that is not padded with spaces: ${JSON.stringify(padded)}`)
  demand(bytes.readUInt32BE(36) === 1, 'a schema version other than 1')
  const createdAt = Number(bytes.readBigUInt64BE(40))
  demand(Math.abs(createdAt - Date.now()) < 86_400_000, `a date that is not of today: ${createdAt}`)
  const sequence = bytes.readBigInt64BE(48)
  demand(sequence >= 0n, 'a negative sequence number')
  const payload = bytes.subarray(payloadAt)
  demand(bytes.readUInt32BE(116) === payload.length, 'a payload length that is not the payload’s')
  demand(
    createHash('sha256').update(payload).digest().equals(bytes.subarray(80, 112)),
    'a digest that is not the payload’s',
  )
  const id = Buffer.concat([bytes.subarray(72, 80), bytes.subarray(64, 72)]).toString('hex')
  demand(/^.{12}4.{3}[89ab]/.test(id), `a message id that is no UUID of version 4: ${id}`)
  return {
    type,
    sequence: Number(sequence),
    flags: Number(bytes.readBigUInt64BE(56)),
    id: id.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    payloadType: bytes.readUInt32BE(112),
    payload,
  }
}

/** A JSON object with exactly these members. @throws ProtocolFault */
export function parseExactly(text: string, members: readonly string[], what: string): Record<string, unknown> {
  const value = parseObject(text, what)
  const names = Object.keys(value).join()
  if (names !== members.join()) throw new ProtocolFault(`${what} has the members ${names}, not ${members.join()}`)
  return value
}

/** @throws ProtocolFault */
export function parseObject(text: string, what: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {}
  throw new ProtocolFault(`${what} is not a JSON object`)
}
