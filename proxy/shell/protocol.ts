import { performance } from 'node:perf_hooks'
import { EntryWriter } from '../recording/entry-writer.ts'
import { onFileIfStrict } from '../relay/on-file.ts'
import { admit } from '../relay/open-permit.ts'
import type { KnownClient, ProtocolParts, TerminalProtocol } from '../relay/protocol.ts'
import { toBrokerError } from '../relay/words.ts'
import {
  BrokerError,
  type ChannelKeyAsk,
  type EndNotice,
  type EndReason,
  type SessionOutcome,
  type SessionPermit,
} from '../session.ts'
import { Terminal } from '../ssm/terminal.ts'
import { ClientLeft } from '../streams/client-line.ts'
import { AwayNotice } from './away-notice.ts'
import { ShellClient } from './client.ts'
import { ClientSocket } from './client-socket.ts'
import { TerminalEntries } from './entries.ts'
import { readCommand } from './first-message.ts'
import { leave } from './leave.ts'
import { ShellRelay } from './relay.ts'
import { TerminalResumes } from './resumes.ts'
import type { ShellRules, ShellWork } from './rules.ts'

const protocol = 'shell'

/** Shells and commands on instances, over Session Manager. They have no port: their clients come by websocket. */
export function createShell(parts: ProtocolParts): TerminalProtocol {
  const resumes = new TerminalResumes(parts, protocol)
  return {
    name: protocol,
    serveTerminal: (socket, known, size, isResumable = false) =>
      serve(parts, new ShellClient(new ClientSocket(socket)), known, { size }, isResumable ? resumes : undefined),
    resumeTerminal: (socket, known) => resumes.serve(new ClientSocket(socket), known),
    serveCommand: (socket, known) => serveCommand(parts, new ClientSocket(socket), known),
  }
}

async function serveCommand(
  parts: ProtocolParts,
  socket: ClientSocket,
  known: KnownClient,
): Promise<EndReason | undefined> {
  let command: string
  try {
    command = await socket.first('command', readCommand)
  } catch (error) {
    if (!(error instanceof ClientLeft)) socket.refuse(toBrokerError(error))
    return undefined
  }
  return await serve(parts, new ShellClient(socket, true), known, { command })
}

async function serve(
  parts: ProtocolParts,
  client: ShellClient,
  known: KnownClient,
  work: ShellWork,
  resumes?: TerminalResumes,
): Promise<EndReason | undefined> {
  const permit = await admit(parts, protocol, known, (error) => client.refuse(error))
  if (!permit) return undefined
  const { outcome, terminal } = await run(parts, client, permit, work, resumes)
  resumes?.forget(permit)
  await parts.host.end(permit, { ...outcome, ...(await leave(parts, permit, outcome.reason, terminal)) })
  return outcome.reason
}

interface Ran {
  readonly outcome: SessionOutcome
  /** Undefined: nothing was asked of AWS. */
  readonly terminal?: Terminal
}

/** Never rejects. */
async function run(
  { host, now }: ProtocolParts,
  client: ShellClient,
  permit: SessionPermit,
  work: ShellWork,
  resumes: TerminalResumes | undefined,
): Promise<Ran> {
  const { sessionId, engine, kind } = permit
  let terminal: Terminal | undefined
  try {
    if (!engine) throw new BrokerError('INTERNAL', 'there is no instance to reach')
    permit.signal.throwIfAborted()
    const since = performance.now()
    const rules = engine.rules as ShellRules
    const detail = work.command === undefined ? rules.detail : rules.commandDetail
    if (!detail) throw new BrokerError('GRANT_DENIED', `the access level ${permit.level} does not run single commands`)
    if (work.command !== undefined) await recordFirst(permit, work, detail, now)
    const begun = Promise.withResolvers<void>()
    const notices: string[] = []
    const told: { notice(text: string): void } = { notice: (text) => void notices.push(text) }
    const ticket = () => host.doorman.channelTicket(sessionId, work.command)
    const key = (ask: ChannelKeyAsk) => host.doorman.channelKey(sessionId, ask)
    const channel = rules.isEncrypted ? { ticket, dataKey: key, isEncrypted: true } : { ticket }
    const away = new AwayNotice((text) => told.notice(text))
    terminal = new Terminal(channel, work.size, {
      ready: () => begun.resolve(),
      notice: (text) => told.notice(text),
      away: (isAway) => away.set(isAway),
    })
    await unlessOver(begun.promise, terminal, client, permit)
    host.doorman.phase(kind, 'upstream', (performance.now() - since) / 1000)
    await host.started(permit, detail)
    const relay = new ShellRelay({
      client,
      terminal,
      work,
      permit,
      rules,
      counts: host.reports.of(kind),
      now,
      watchEnd: (onMoved) => host.watchEnd(permit, onMoved),
    })
    const outcome = relay.run()
    told.notice = (text) => relay.tell(text)
    host.onTold(permit, (text) => relay.announce(text))
    for (const text of notices) relay.tell(text)
    void resumes?.offer(client, permit)
    return { outcome: await outcome, terminal }
  } catch (thrown) {
    return { outcome: failedToOpen(now, client, permit, thrown), ...(terminal ? { terminal } : {}) }
  }
}

/** A command is on record before AWS is asked to run it. @throws BrokerError RECORDING_FAILED, LIMIT_REACHED; ABORT_ERR */
async function recordFirst(
  permit: SessionPermit,
  work: ShellWork,
  detail: Readonly<Record<string, string>>,
  now: () => number,
): Promise<void> {
  const entries = new TerminalEntries(new EntryWriter(permit.recorder, () => {}), now)
  entries.begin(work, detail)
  await onFileIfStrict(permit)
}

/** @throws BrokerError why it has not begun; ClientLeft */
async function unlessOver(
  begun: Promise<void>,
  terminal: Terminal,
  client: ShellClient,
  { signal }: SessionPermit,
): Promise<void> {
  const cut = Promise.withResolvers<never>()
  const onCut = () => cut.reject(signal.reason)
  signal.addEventListener('abort', onCut)
  if (signal.aborted) onCut()
  const ended = terminal.ended.then((end): never => {
    if (end.reason === 'failed') throw end.error
    throw new BrokerError('TARGET_REFUSED', end.reason === 'closed' && end.text !== '' ? end.text : 'it ended at once')
  })
  const left = client.left.then((): never => {
    throw new ClientLeft()
  })
  try {
    await Promise.race([begun, ended, left, cut.promise])
  } finally {
    signal.removeEventListener('abort', onCut)
    for (const one of [ended, left, cut.promise]) one.catch(() => {}) // the first one counts
  }
}

function failedToOpen(now: () => number, client: ShellClient, permit: SessionPermit, thrown: unknown): SessionOutcome {
  const nothing = { bytesUp: 0, bytesDown: 0 }
  if (permit.signal.aborted) {
    const { reason, text } = permit.signal.reason as EndNotice
    client.sayEnd(text)
    client.cut(reason)
    return { ...nothing, reason, stoppedAt: now() }
  }
  if (thrown instanceof ClientLeft) return { ...nothing, reason: 'client-closed' }
  const error = toBrokerError(thrown)
  client.sayError(error)
  return { ...nothing, reason: 'open-failed', error }
}
