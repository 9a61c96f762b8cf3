/** An SSM agent's side of one session, after amazon-ssm-agent's sources (specs in the header of `frames.ts`). */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { quietFor, waitUntil } from '../../wait-until.ts'
import { AgentLink } from './agent-link.ts'
import { ProtocolFault, parseExactly } from './frames.ts'
import { startPort } from './port.ts'
import { startCommand, startShell } from './shell.ts'
import type { AgentOptions, AgentWork, SandboxKey, SessionSpec } from './work.ts'

const frameBytes = 1024
const handshakeMs = 15_000
const flushMs = 2000
const defaults: AgentOptions = {
  agentVersion: '3.3.987.0',
  pauseMs: 1,
  keepaliveMs: 10_000,
  hasChallenge: true,
  customerMessage: '',
  extraActions: [],
  reaches: {},
  root: '',
}
const encrypted = [1, 11, 12]

export class AgentDouble {
  readonly link: AgentLink
  readonly #spec: SessionSpec
  readonly #sessionId: string
  readonly #options: AgentOptions
  readonly #challenge = randomBytes(16).toString('base64')
  #state: 'handshake' | 'challenged' | 'working' | 'over' = 'handshake'
  #work: AgentWork | undefined
  #keys: { readonly ours: Buffer; readonly clients: Buffer } | undefined
  #proof: Buffer | undefined
  #chain = Promise.resolve()
  readonly #unread: Buffer[] = []
  #blocked: NodeJS.Timeout | undefined
  #handshakeTimer: NodeJS.Timeout | undefined
  isBlocked: () => boolean = () => false
  onFault: (fault: ProtocolFault) => void = () => {}
  onEnd: (output: string) => void = () => {}
  /** Of the client, from its handshake. */
  clientVersion = ''

  constructor(sessionId: string, spec: SessionSpec, send: (bytes: Buffer) => void, options: Partial<AgentOptions>) {
    this.#sessionId = sessionId
    this.#spec = spec
    this.#options = { ...defaults, ...options }
    this.link = new AgentLink({
      send,
      take: (type, payload) => this.#take(type, payload),
      fault: (fault) => this.onFault(fault),
    })
  }

  start(): void {
    const { sessionType, kms, properties = null } = this.#spec
    if (sessionType !== 'Port' && sessionType !== 'NonInteractiveCommands' && !kms) {
      this.#begin()
      return
    }
    const actions: unknown[] = [
      { ActionType: 'SessionType', ActionParameters: { SessionType: sessionType, Properties: properties } },
    ]
    const challenge = this.#options.hasChallenge ? { Challenge: this.#challenge } : {}
    if (kms) actions.push({ ActionType: 'KMSEncryption', ActionParameters: { KMSKeyId: kms.keyId, ...challenge } })
    for (const ActionType of this.#options.extraActions) actions.push({ ActionType, ActionParameters: {} })
    const request = { AgentVersion: this.#options.agentVersion, RequestedClientActions: actions }
    this.link.data(5, Buffer.from(JSON.stringify(request)))
    this.#handshakeTimer = setInterval(() => this.#over('Handshake timed out'), handshakeMs).unref()
  }

  receive(bytes: Buffer): void {
    this.#unread.push(bytes)
    this.#read()
  }

  #read(): void {
    while (this.#state !== 'over' && !this.#work?.isFull?.()) {
      const bytes = this.#unread.shift()
      if (!bytes) return
      this.link.receive(bytes)
    }
    this.#blocked ??= setInterval(() => this.#read(), 20).unref()
  }

  stop(): void {
    this.#state = 'over'
    clearInterval(this.#handshakeTimer)
    clearInterval(this.#blocked)
    this.#work?.stop()
    this.link.close()
  }

  #take(type: number, payload: Buffer): boolean {
    if (this.#state === 'working') return this.#takeWork(type, payload)
    if (this.#state === 'handshake' && type === 6) this.#respond(payload)
    else if (this.#state === 'challenged' && type === 9) this.#checkProof(payload)
    else
      this.onFault(new ProtocolFault(`a payload of type ${type} before the handshake is complete: the agent drops it`))
    return true
  }

  #takeWork(type: number, payload: Buffer): boolean {
    if (![1, 3, 10].includes(type)) throw new ProtocolFault(`a client may not send a payload of type ${type}`)
    if (type === 10 && payload.equals(Buffer.from([0, 0, 0, 2]))) {
      this.#over('')
      return true
    }
    return this.#work?.take(type, type === 1 ? this.#decrypt(payload) : payload) ?? false
  }

  #respond(payload: Buffer): void {
    const members = ['ClientVersion', 'ProcessedClientActions', 'Errors']
    const response = parseExactly(payload.toString(), members, 'the handshake response')
    this.clientVersion = String(response.ClientVersion)
    const actions = response.ProcessedClientActions as Readonly<Record<string, unknown>>[]
    const wanted = ['SessionType', ...(this.#spec.kms ? ['KMSEncryption'] : []), ...this.#options.extraActions]
    if (
      actions
        .map(({ ActionType }) => ActionType)
        .sort()
        .join() !== wanted.sort().join()
    )
      throw new ProtocolFault('the handshake response does not answer the actions that were asked for')
    if (actions.some(({ ActionStatus }) => ActionStatus !== 1)) {
      this.#over('Failed to process action')
      return
    }
    const { kms } = this.#spec
    if (!kms) {
      this.#complete()
      return
    }
    this.#keys = this.#unwrap(kms, actions.find(({ ActionType }) => ActionType === 'KMSEncryption')?.ActionResult)
    this.#proof = randomBytes(64)
    this.#state = 'challenged'
    this.link.data(8, Buffer.from(JSON.stringify({ Challenge: this.#encrypt(this.#proof).toString('base64') })))
  }

  #unwrap(kms: SandboxKey, result: unknown) {
    const { KMSCipherTextKey: ciphertext, ChallengeAcknowledgement: isChallenged } = result as Record<string, unknown>
    if (this.#options.hasChallenge !== (isChallenged === true))
      throw new ProtocolFault('the challenge of the handshake was not acknowledged')
    const context = {
      'aws:ssm:SessionId': this.#sessionId,
      'aws:ssm:TargetId': this.#spec.target,
      ...(isChallenged === true ? { 'aws:ssm:RandomChallenge': this.#challenge } : {}),
    }
    const key = kms.decrypt(Buffer.from(String(ciphertext), 'base64'), context)
    if (key?.length !== 64) throw new ProtocolFault('KMS does not decrypt the data key in this context')
    return { ours: key.subarray(0, 32), clients: key.subarray(32) }
  }

  #checkProof(payload: Buffer): void {
    const { Challenge: proof } = parseExactly(payload.toString(), ['Challenge'], 'the answer to the challenge')
    const isRight = this.#proof?.equals(this.#decrypt(Buffer.from(String(proof), 'base64')))
    if (!isRight) throw new ProtocolFault('the challenge was answered wrongly')
    this.#complete()
  }

  #complete(): void {
    const done = { HandshakeTimeToComplete: 1_150_509, CustomerMessage: this.#options.customerMessage }
    this.link.data(7, Buffer.from(JSON.stringify(done)))
    this.#begin()
  }

  #begin(): void {
    clearInterval(this.#handshakeTimer)
    this.#state = 'working'
    const { sessionType } = this.#spec
    const { shell = startShell } = this.#options
    const start = sessionType === 'Port' ? startPort : sessionType === 'NonInteractiveCommands' ? startCommand : shell
    this.#work = start(this.#spec, {
      output: (type, bytes) => this.#output(type, bytes),
      options: this.#options,
      fault: (text) => this.onFault(new ProtocolFault(text)),
      end: (output = '') => void this.#finish(output),
    })
  }

  /** In messages of 1,024 bytes with a pause after each, one writer after the other. */
  #output(type: number, bytes: Buffer): Promise<void> {
    this.#chain = this.#chain.then(async () => {
      for (let at = 0; at < bytes.length && this.#state === 'working'; at += frameBytes) {
        if (this.isBlocked() || this.link.isPaused)
          await waitUntil(
            () => this.#state === 'over' || !(this.isBlocked() || this.link.isPaused),
            'it reads on',
            120_000,
          )
        const part = bytes.subarray(at, at + frameBytes)
        this.link.data(type, encrypted.includes(type) ? this.#encrypt(part) : part)
        if (this.#options.pauseMs > 0) await quietFor(this.#options.pauseMs, 'agents pause after each message')
      }
    })
    return this.#chain
  }

  /** What is left may still arrive. */
  async #finish(output: string): Promise<void> {
    await this.#chain
    await waitUntil(() => this.link.waiting === 0 || this.#state === 'over', 'all is acknowledged', flushMs).catch(
      () => {},
    )
    this.#over(output)
  }

  #over(output: string): void {
    if (this.#state === 'over') return
    this.stop()
    this.onEnd(output)
  }

  #encrypt(plaintext: Buffer): Buffer {
    if (!this.#keys) return plaintext
    const nonce = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', this.#keys.ours, nonce)
    return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
  }

  #decrypt(payload: Buffer): Buffer {
    if (!this.#keys) return payload
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#keys.clients, payload.subarray(0, 12))
      decipher.setAuthTag(payload.subarray(-16))
      return Buffer.concat([decipher.update(payload.subarray(12, -16)), decipher.final()])
    } catch {
      throw new ProtocolFault('a payload that the client’s key did not encrypt')
    }
  }
}
