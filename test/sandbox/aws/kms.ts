/**
 * `GenerateDataKey` of KMS (JSON 1.1, API version 2014-11-01): which keys there are, who may use them, in which encryption context. What
 * it encrypts only it decrypts, in the same context. Left out: key policies and grants, whose part identity policies have here.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { SandboxKey } from '../ssm/work.ts'
import { callerContext, refusal } from './authorize.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'
import type { World } from './world.ts'

export interface KmsDouble {
  /** @throws AwsFault */
  answer(caller: Caller, region: string, operation: string, input: Readonly<Record<string, unknown>>): object
  /** For the role of an instance, which may decrypt. */
  key(arn: string): SandboxKey
}

interface KmsDeps {
  readonly world: World
  isDenied(action: string): boolean
  now(): number
}

type Context = Readonly<Record<string, string>>

const nonceBytes = 12
const tagBytes = 16

export function createKms(deps: KmsDeps): KmsDouble {
  const master = randomBytes(32)
  return {
    answer: (caller, region, operation, input) => {
      if (operation !== 'GenerateDataKey') throw new AwsFault('UnknownOperationException', 400, operation)
      const { KeyId: arn, NumberOfBytes: count, EncryptionContext: given = {}, ...more } = input
      if (Object.keys(more).length > 0 || typeof count !== 'number' || count < 1 || count > 1024)
        throw new AwsFault('ValidationException', 400, 'members or NumberOfBytes')
      const key = deps.world.keys.find((one) => one === arn)
      if (!key || key.split(':')[3] !== region)
        throw new AwsFault('NotFoundException', 400, `Key ${arn} does not exist`)
      const context = readContext(given)
      allow(deps, caller, key, context)
      const plaintext = randomBytes(count)
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', master, nonce).setAAD(asBytes(key, context))
      const sealed = Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
      return { KeyId: key, Plaintext: plaintext.toString('base64'), CiphertextBlob: sealed.toString('base64') }
    },
    key: (keyId) => ({
      keyId,
      decrypt: (sealed, context) => {
        try {
          const decipher = createDecipheriv('aes-256-gcm', master, sealed.subarray(0, nonceBytes))
          decipher.setAAD(asBytes(keyId, context)).setAuthTag(sealed.subarray(-tagBytes))
          return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()])
        } catch {
          return null
        }
      },
    }),
  }
}

function readContext(given: unknown): Context {
  const entries = Object.entries(given as object)
  if (entries.some(([, value]) => typeof value !== 'string'))
    throw new AwsFault('ValidationException', 400, 'an encryption context has texts')
  return Object.fromEntries(entries)
}

function allow(deps: KmsDeps, caller: Caller, resource: string, encryption: Context): void {
  const action = 'kms:GenerateDataKey'
  const context = callerContext(deps.world, caller, deps.now(), resource)
  for (const [name, value] of Object.entries(encryption))
    context.set(`kms:encryptioncontext:${name}`.toLowerCase(), [value])
  const why = deps.isDenied(action)
    ? 'denied by a fault knob'
    : refusal(deps.world, caller, { action, resource, context })
  if (why)
    throw new AwsFault(
      'AccessDeniedException',
      400,
      `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource}`,
      why,
    )
}

/** Whatever the order of its members. */
function asBytes(key: string, context: Context): Buffer {
  return Buffer.from(JSON.stringify([key, Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1))]))
}
