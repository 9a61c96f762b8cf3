import { readFile, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { BrokerError } from '../../../proxy/session.ts'
import { chooseTarget, listResources } from '../connect/target.ts'
import { openApiClient } from '../login/login-store.ts'
import { exitCodes, printLine, when } from '../output.ts'
import { keptTokens } from './credential.ts'
import { kubeconfigPath, removeContext, writeContext } from './kubeconfig.ts'

export interface KubeCommandOptions {
  readonly level?: string
  readonly context?: string
  readonly namespace?: string
  readonly current: boolean
  readonly remove?: boolean
  readonly token?: boolean
  readonly for?: number
}

/** `sallyport kube RESOURCE`. */
export async function kube(
  server: { server?: string },
  reference: string,
  options: KubeCommandOptions,
): Promise<number> {
  const path = kubeconfigPath(process.env)
  const shortName = reference.slice(reference.lastIndexOf('/') + 1)
  const name = options.context ?? `sallyport-${shortName}`
  if (options.remove) {
    if (!(await removeContext(path, name))) throw new BrokerError('NOT_FOUND', `${path} has no context ${name}`)
    await rm(keptTokens(process.env), { recursive: true, force: true })
    printLine(`Context ${name} removed from ${path}.`)
    return exitCodes.done
  }
  const api = await openApiClient(server)
  const target = chooseTarget(await listResources(api), reference, options.level, ['kubernetes'])
  const { id, level } = target
  if (!/^[^/]+\/\d{12}\/[^/]+\/[^/]+$/.test(id))
    throw new BrokerError('RESOURCE_UNKNOWN', reference, { hint: 'Use: sallyport ls' })
  const cluster = {
    server: `${api.server.replace(/\/$/, '')}/k8s${id.slice(id.indexOf('/'))}`,
    ...(await trustedCa(process.env.NODE_EXTRA_CA_CERTS, options.token ?? false)),
  }
  const issued = options.token
    ? await api.call('POST /api/v1/connect-tokens', { body: { resource: id, level, durationMs: options.for } })
    : null
  const user = issued ? { token: issued.token } : { exec: execPlugin(api.server, id, level) }
  const { namespace } = options
  await writeContext(path, { name, cluster, user, ...(namespace === undefined ? {} : { namespace }) }, options.current)
  printLine(`kubectl --context ${name} get pods`)
  const until = issued ? ` Its token is valid until ${when(issued.expiresAt)}.` : ''
  if (!api.server.startsWith('https:'))
    process.stderr.write(`kubectl sends credentials by HTTPS alone, and ${api.server} is none: put TLS before it.\n`)
  process.stderr.write(`Context ${name} is in ${path}${options.current ? ', and the current one' : ''}.${until}\n`)
  return exitCodes.done
}

/** A machine that trusts the broker's CA this way needs kubectl to trust it too; on another one there is no such file. */
async function trustedCa(file: string | undefined, isForAnother: boolean): Promise<object> {
  if (!file) return {}
  if (isForAnother) return { 'certificate-authority-data': (await readFile(file)).toString('base64') }
  return { 'certificate-authority': resolve(file) }
}

/** What the command finds its login and the broker by. kubectl may be started without: by an editor, or another program. */
const passedOn = ['SALLYPORT_HOME', 'NODE_EXTRA_CA_CERTS']

/** @param level left out: the one level held when kubectl asks */
function execPlugin(server: string, id: string, level: string | undefined): object {
  const program = process.argv[1] ?? 'sallyport'
  const env = passedOn.flatMap((name) => {
    const value = process.env[name]
    return value ? [{ name, value: resolve(value) }] : []
  })
  return {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: process.execPath,
    args: [program, '--server', server, 'kube-credential', id, ...(level === undefined ? [] : ['--level', level])],
    ...(env.length > 0 ? { env } : {}),
    interactiveMode: 'Never',
    installHint: 'The command sallyport issues the credentials of this context.',
  }
}
