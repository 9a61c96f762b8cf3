/** Payloads of the handshake, which the agent begins: for port sessions, commands without a terminal, and with a KMS key. */
import { WireError } from '../wire-error.ts'
import { encodeJson, isObject, readObject, readText } from './json.ts'

export const actionStatus = { success: 1, failed: 2, unsupported: 3 } as const

export interface HandshakeRequest {
  readonly agentVersion: string
  /** `Port`, or one of the kinds of shell. */
  readonly sessionType: string
  /** Of the session's document, with its parameters in place; null: none. */
  readonly properties: Readonly<Record<string, unknown>> | null
  /** Undefined: not encrypted beyond TLS. */
  readonly encryption?: EncryptionRequest
  /** Other actions that the agent asks for. */
  readonly unknown: readonly string[]
}

export interface EncryptionRequest {
  readonly keyId: string
  /** As received, for the encryption context; older agents send none. */
  readonly challenge?: string
}

/** What became of one requested action. */
export interface ProcessedAction {
  readonly type: string
  readonly status: number
  /** Null, or what the action gave. */
  readonly result: unknown
  /** Empty: none. */
  readonly error: string
}

const sessionTypeAction = 'SessionType'
const encryptionAction = 'KMSEncryption'
const maxActions = 16
/** Of a version, or the name of an action: people are told of them. */
const longestName = 64

/** @throws WireError */
export function decodeHandshakeRequest(payload: Buffer): HandshakeRequest {
  const what = 'the handshake request'
  const request = readObject(payload, what)
  const agentVersion = readName(request, 'AgentVersion', what)
  const { RequestedClientActions: actions } = request
  if (!Array.isArray(actions) || actions.length > maxActions) throw new WireError(`${what} has no list of actions`)
  let session: Pick<HandshakeRequest, 'sessionType' | 'properties'> | undefined
  let encryption: EncryptionRequest | undefined
  const unknown: string[] = []
  for (const action of actions as unknown[]) {
    if (!isObject(action)) throw new WireError(`an action of ${what} is not an object`)
    const type = readName(action, 'ActionType', what)
    const parameters = isObject(action.ActionParameters) ? action.ActionParameters : {}
    if (type === sessionTypeAction) session = readSession(parameters, what)
    else if (type === encryptionAction) encryption = readEncryption(parameters, what)
    else unknown.push(type)
  }
  if (!session) throw new WireError(`${what} does not say the type of the session`)
  return { agentVersion, ...session, ...(encryption ? { encryption } : {}), unknown }
}

function readName(object: Readonly<Record<string, unknown>>, name: string, what: string): string {
  const text = readText(object, name, what)
  if (text.length > longestName) throw new WireError(`${name} of ${what} is too long`)
  return text
}

function readSession(parameters: Readonly<Record<string, unknown>>, what: string) {
  const { Properties: properties = null } = parameters
  if (properties !== null && !isObject(properties)) throw new WireError(`Properties of ${what} is not an object`)
  return { sessionType: readText(parameters, 'SessionType', what), properties }
}

function readEncryption(parameters: Readonly<Record<string, unknown>>, what: string): EncryptionRequest {
  const keyId = readText(parameters, 'KMSKeyId', what)
  return parameters.Challenge === undefined ? { keyId } : { keyId, challenge: readText(parameters, 'Challenge', what) }
}

export function encodeHandshakeResponse(clientVersion: string, actions: readonly ProcessedAction[]): Buffer {
  const errors = actions.map(({ error }) => error).filter((error) => error !== '')
  return encodeJson({
    ClientVersion: clientVersion,
    ProcessedClientActions: actions.map(({ type, status, result, error }) => ({
      ActionType: type,
      ActionStatus: status,
      ActionResult: result,
      Error: error,
    })),
    Errors: errors.length > 0 ? errors : null,
  })
}

export const processedSessionType: ProcessedAction = {
  type: sessionTypeAction,
  status: actionStatus.success,
  result: null,
  error: '',
}

/** @param cipherText the data key, encrypted under the session's key @param isChallenged its context names the challenge */
export function processedEncryption(cipherText: Uint8Array, isChallenged: boolean): ProcessedAction {
  const result = {
    KMSCipherTextKey: Buffer.from(cipherText).toString('base64'),
    KMSCipherTextHash: null,
    ...(isChallenged ? { ChallengeAcknowledgement: true } : {}),
  }
  return { type: encryptionAction, status: actionStatus.success, result, error: '' }
}

/** @returns a message of the account's for the person; empty: none @throws WireError */
export function decodeHandshakeComplete(payload: Buffer): string {
  const { CustomerMessage: message = '' } = readObject(payload, 'the end of the handshake')
  if (typeof message !== 'string') throw new WireError('CustomerMessage is not a string')
  return message
}

/** @throws WireError */
export function decodeChallenge(payload: Buffer): Buffer {
  return Buffer.from(readText(readObject(payload, 'the challenge'), 'Challenge', 'the challenge'), 'base64')
}

export function encodeChallenge(challenge: Buffer): Buffer {
  return encodeJson({ Challenge: challenge.toString('base64') })
}
