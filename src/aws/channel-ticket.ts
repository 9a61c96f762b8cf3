import type { ChannelTicket } from '../../proxy/session.ts'
import type { AwsCredentials } from './aws.ts'
import { toIdentity } from './client-options.ts'

/** What StartSession and ResumeSession answer with. */
export interface SessionStream {
  /** Used verbatim: its query is opaque. */
  readonly streamUrl: string
  readonly token: string
}

/**
 * Signs the upgrade of a Session Manager data channel, by SigV4 for the service ssmmessages. Signatures are good for some minutes, so
 * each websocket needs a ticket of its own.
 */
export async function channelTicket(
  { streamUrl, token }: SessionStream,
  region: string,
  credentials: AwsCredentials,
): Promise<ChannelTicket> {
  const { SignatureV4 } = await import('@smithy/signature-v4')
  const { Sha256 } = await import('@smithy/core/checksum')
  const service = 'ssmmessages'
  const identity = toIdentity(credentials)
  const signer = new SignatureV4({ service, region, credentials: identity, sha256: Sha256, applyChecksum: false })
  const { host, hostname, pathname: path, protocol, searchParams } = new URL(streamUrl)
  const query = Object.fromEntries(searchParams)
  const signed = await signer.sign({ method: 'GET', protocol, hostname, path, query, headers: { host } })
  const { host: _, ...headers } = signed.headers // the websocket sets its own
  return { url: streamUrl, token, headers }
}
