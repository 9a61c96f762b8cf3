/** Messages of a client that signs in: first those without a type byte, then only passwords and SASL. */
import type { ClientLine } from '../../streams/client-line.ts'
import { checkStartupLength, decodeInitial } from '../../wire/postgres/decode.ts'
import type { InitialMessage } from '../../wire/postgres/messages.ts'
import { WireError } from '../../wire/wire-error.ts'

/** Longer than any token or SCRAM message. */
const maxAnswerBytes = 10_000
const answerType = 0x70 // 'p'

/** @throws WireError */
export async function readInitial(line: ClientLine): Promise<InitialMessage> {
  return decodeInitial((await readPacket(line)).subarray(4))
}

/** A message without a type byte, as it came: length word and body. @throws WireError */
export async function readPacket(line: ClientLine): Promise<Buffer> {
  const head = await line.read(4)
  return Buffer.concat([head, await line.read(checkStartupLength(head.readUInt32BE(0)))])
}

/** Body of a PasswordMessage, SASLInitialResponse or SASLResponse. @throws WireError */
export async function readAnswer(line: ClientLine): Promise<Buffer> {
  const head = await line.read(5)
  const length = head.readUInt32BE(1) - 4
  if (head[0] !== answerType) throw new WireError('expected a password or SASL response')
  if (length < 1 || length > maxAnswerBytes) throw new WireError('invalid length of password message')
  return await line.read(length)
}
