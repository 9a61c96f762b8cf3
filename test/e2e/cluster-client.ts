import { type IncomingMessage, request } from 'node:http'
import type { IssuedConnectToken } from '../../src/contract/tokens.ts'
import { clusterId } from '../sandbox/daemon-files.ts'
import { waitFor } from '../wait-until.ts'
import { newestSession } from './books.ts'
import type { Company } from './company.ts'

/** Answers that are read as they come. */
export interface Streamed {
  readonly status: number
  /** All that came so far. */
  text(): string
  readonly ended: Promise<void>
  leave(): void
}

export async function issueClusterToken(company: Company, resource = clusterId): Promise<string> {
  const body = { resource }
  return (await company.api<IssuedConnectToken>('alice', 'POST', '/api/v1/connect-tokens', body)).token
}

/** One request of alice's to the cluster, by the broker. */
export async function askCluster(
  company: Company,
  token: string,
  path: string,
  resource = clusterId,
): Promise<Streamed> {
  const url = new URL(`/k8s/${resource.replace('eks-cluster/', '')}${path}`, company.daemon.url)
  return await new Promise((resolve, reject) => {
    const sent = request(url, { headers: { authorization: `Bearer ${token}` }, agent: false }, (answer) =>
      resolve(streamed(answer, () => sent.destroy())),
    )
    sent.on('error', reject)
    sent.end()
  })
}

function streamed(answer: IncomingMessage, leave: () => void): Streamed {
  let text = ''
  answer.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  const ended = new Promise<void>((resolve) => answer.once('close', resolve).on('error', () => resolve()))
  return { status: answer.statusCode ?? 0, text: () => text, ended, leave }
}

/** A watch, and the session that it is of. @throws Error when it is refused */
export async function watchPods(company: Company, token: string): Promise<Streamed & { readonly sessionId: string }> {
  const watch = await askCluster(company, token, '/api/v1/namespaces/shop/pods?watch=true')
  if (watch.status !== 200) {
    await watch.ended
    throw new Error(watch.text())
  }
  await waitFor(() => watch.text().includes('web-1') || undefined, 'the first event')
  return { ...watch, sessionId: await newestSession(company) }
}
