import { BrokerError, type PermitFacts } from '../../../proxy/session.ts'
import type { TcpRules } from '../../../proxy/tcp/rules.ts'
import { digestOf } from '../../audit/digest.ts'
import type { SessionDocument } from '../../aws/session-manager.ts'
import { sshDocument } from './ssh-document.ts'
import { sshDocumentName } from './ssh-level.ts'

/** What a Session Manager session is started with, and how its document is checked before. */
export interface ChannelStart {
  readonly document: string
  readonly parameters?: Readonly<Record<string, string>>
  /** @throws BrokerError TARGET_UNTRUSTED */
  check(found: SessionDocument): void
}

/** The command that puts in the key of a session. @returns undefined for a session that is not SSH */
export function sshKeyStart({
  sessionId,
  engine,
}: Pick<PermitFacts, 'sessionId' | 'engine'>): ChannelStart | undefined {
  const { ssh } = (engine?.rules ?? {}) as Partial<TcpRules>
  if (!ssh) return undefined
  return {
    document: sshDocumentName(ssh.user),
    parameters: { session: sessionId, key: ssh.key, mode: ssh.mode },
    check: (found) => checkSshDocument(ssh.user, found),
  }
}

/** Who changes it could put in another key, or run commands as another user. @throws BrokerError TARGET_UNTRUSTED */
function checkSshDocument(osUser: string, { digest }: SessionDocument): void {
  if (digest === digestOf(sshDocument(osUser))) return
  const hint = 'An administrator should look at who changed it, and make it as `sallyport aws prepare` prints it.'
  throw new BrokerError('TARGET_UNTRUSTED', `the session document ${sshDocumentName(osUser)} is another one`, { hint })
}
