import { endingText, stayHint } from '../../../proxy/ending.ts'
import { type ForwardPort, openForwardPort } from '../../../proxy/local/forward-port.ts'
import { type BrokerStream, openStream } from '../../../proxy/local/stream-socket.ts'
import { BrokerError } from '../../../proxy/session.ts'
import { exitCodeOf, exitCodes, printLine } from '../output.ts'
import { GrantWatch } from './grant-watch.ts'
import { type ConnectDeps, portInUse, readBearer, warn } from './open-connections.ts'
import { describeEnd } from './session-end.ts'
import { chooseTarget, listResources, type Target } from './target.ts'

type Deps = ConnectDeps & { readonly signal: AbortSignal }

/**
 * `sallyport forward`: each connection to the local port is a session of its own. Stays until Ctrl-C (0) or until the grant has ended (4).
 * @throws BrokerError when the level does not lead there, or there is no grant
 */
export async function forward(
  deps: Deps,
  reference: string,
  text: string,
  options: { readonly level?: string },
): Promise<number> {
  const { local, ...to } = readForward(text)
  const choose = async () =>
    chooseTarget(await listResources(await deps.openApi()), reference, options.level, ['shell'])
  let target = await choose()
  if (target.endsAt === null) {
    await askBroker(deps, target, to)
    target = await choose()
  }
  const over = Promise.withResolvers<number>()
  over.promise.catch(() => {}) // the first outcome counts
  const done = new AbortController()
  const watch = new GrantWatch<Target>({
    load: async () => listResources(await deps.openApi()),
    now: deps.now,
    warn,
    onEnding: ({ name }, ending) => warn(`${endingText(`access to ${name}`, ending)}; ${stayHint(ending)}`),
  })
  const port = await openPort(local, {
    open: (signal) => open(deps, target, to, signal),
    onCut: (reason) => {
      warn(`a connection was cut: ${describeEnd(reason)}`)
      watch.poke()
    },
    onFailure: (error) => {
      if (isFinal(error)) over.reject(error)
      else warn(`a connection failed: ${error.message}${error.hint ? ` (${error.hint})` : ''}`)
    },
  })
  try {
    printLine(`127.0.0.1:${port.port} leads to ${hostPort(to)} through ${target.id}`)
    process.stderr.write('Press Ctrl-C to stop.\n')
    const signal = AbortSignal.any([deps.signal, done.signal])
    const watching = watch.run([target], signal, ({ name }) => warn(`the grant on ${name} has ended`))
    const outcome = watching.then((how) => (how === 'stopped' ? exitCodes.done : exitCodes.denied))
    return await Promise.race([outcome, over.promise])
  } finally {
    done.abort()
    await port.close()
  }
}

/** Every later connection would be refused, too. */
function isFinal({ code }: BrokerError): boolean {
  return exitCodeOf(code) === exitCodes.denied
}

/** Only the broker knows why there is no access, and audits the refusal. @throws BrokerError the refusal */
async function askBroker(deps: Deps, target: Target, to: HostPort): Promise<void> {
  const { ready, ended, leave } = await open(deps, target, to, deps.signal)
  const first = await Promise.race([ready, ended])
  leave()
  if ('how' in first && first.how === 'failed') throw first.error
}

async function open(deps: Deps, target: Target, to: HostPort, signal: AbortSignal): Promise<BrokerStream> {
  const ask = {
    server: deps.server,
    bearer: await readBearer(deps),
    resourceId: target.id,
    level: target.level,
    tool: 'sallyport forward',
    to,
  }
  return await openStream(ask, signal, warn)
}

async function openPort(
  port: number,
  options: Omit<Parameters<typeof openForwardPort>[0], 'port'>,
): Promise<ForwardPort> {
  return await openForwardPort({ ...options, port }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EADDRINUSE'
      ? portInUse(port, error, 'choose another as LOCAL:HOST:PORT, or omit it to use a free one')
      : error
  })
}

interface HostPort {
  readonly host: string
  readonly port: number
}

/**
 * `[LOCAL:]HOST:PORT`, an IPv6 address in brackets.
 * @returns `local` 0: any free port
 * @throws BrokerError INVALID_INPUT
 */
export function readForward(text: string): HostPort & { readonly local: number } {
  const [, local, address, name, port] =
    /^(?:([0-9]{1,5}):)?(?:\[([0-9A-Fa-f:.]{2,45})\]|([^:[\]]{1,253})):([0-9]{1,5})$/.exec(text) ?? []
  const ports = [local ?? '0', port ?? ''].map(Number)
  if (port === undefined || port === '0' || local === '0' || ports.some((one) => one > 65_535))
    throw new BrokerError('INVALID_INPUT', `"${text}" is not [LOCAL:]HOST:PORT`, {
      hint: 'e.g. 8080:localhost:80, or db.internal:5432 with a free local port',
    })
  return { local: Number(local ?? 0), host: address ?? name ?? '', port: Number(port) }
}

function hostPort({ host, port }: HostPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
