import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type Document, isMap, isSeq, parseDocument } from 'yaml'
import { readIfThere, replaceFile } from '../../../proxy/local/replace-file.ts'
import { BrokerError } from '../../../proxy/session.ts'

/** One context with its cluster and user, all of one name. */
export interface KubeContext {
  readonly name: string
  readonly cluster: object
  readonly user: object
  readonly namespace?: string
}

/** The file that kubectl writes to: the first that `KUBECONFIG` names, or its own. */
export function kubeconfigPath(env: NodeJS.ProcessEnv): string {
  const [first] = (env.KUBECONFIG ?? '').split(delimiter).filter((path) => path !== '')
  return first ?? join(env.HOME ?? homedir(), '.kube', 'config')
}

/** Adds the context or replaces it; comments, and all that is others', stay. @throws BrokerError CONFIG_INVALID */
export async function writeContext(path: string, context: KubeContext, isCurrent: boolean): Promise<void> {
  const { name, namespace } = context
  const document = await read(path)
  document.set('apiVersion', document.get('apiVersion') ?? 'v1')
  document.set('kind', document.get('kind') ?? 'Config')
  put(document, 'clusters', { name, cluster: context.cluster })
  put(document, 'users', { name, user: context.user })
  put(document, 'contexts', {
    name,
    context: { cluster: name, user: name, ...(namespace === undefined ? {} : { namespace }) },
  })
  if (isCurrent) document.set('current-context', name)
  await replaceFile(path, document.toString(), 0o600)
}

/** @returns false: there was none of that name */
export async function removeContext(path: string, name: string): Promise<boolean> {
  const document = await read(path)
  const removed = ['contexts', 'clusters', 'users'].map((list) => remove(document, list, name))
  if (!removed.includes(true)) return false
  if (document.get('current-context') === name) document.set('current-context', '')
  await replaceFile(path, document.toString(), 0o600)
  return true
}

async function read(path: string): Promise<Document> {
  const document = parseDocument((await readIfThere(path))?.toString() ?? '')
  const [problem] = document.errors
  if (problem) throw new BrokerError('CONFIG_INVALID', `${path} cannot be read: ${problem.message.split('\n')[0]}`)
  if (document.contents !== null && !isMap(document.contents))
    throw new BrokerError('CONFIG_INVALID', `${path} is no kubeconfig`)
  return document
}

function put(
  document: Document,
  list: string,
  entry: { readonly name: string; readonly [member: string]: unknown },
): void {
  const known = document.get(list)
  if (!isSeq(known)) document.set(list, document.createNode([entry]))
  else {
    const at = indexOf(document, list, entry.name)
    if (at < 0) known.add(document.createNode(entry))
    else known.set(at, document.createNode(entry))
  }
}

function remove(document: Document, list: string, name: string): boolean {
  const at = indexOf(document, list, name)
  return at >= 0 && document.deleteIn([list, at])
}

function indexOf(document: Document, list: string, name: string): number {
  const known = document.get(list)
  if (!isSeq(known)) return -1
  return known.items.findIndex((item) => isMap(item) && item.get('name') === name)
}
