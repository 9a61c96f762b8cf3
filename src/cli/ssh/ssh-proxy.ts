import { type BrokerStream, openStream, type StreamEnd } from '../../../proxy/local/stream-socket.ts'
import { BrokerError } from '../../../proxy/session.ts'
import { untilStopped } from '../connect/connect-deps.ts'
import { type ConnectDeps, readBearer, warn } from '../connect/open-connections.ts'
import { describeEnd, endsGrant } from '../connect/session-end.ts'
import { chooseTarget, listResources } from '../connect/target.ts'
import { exitCodes } from '../output.ts'
import { currentKey, keepHostKeys, sshFiles } from './ssh-files.ts'

const sshPort = 22

export interface SshProxyOptions {
  readonly user?: string
  readonly level?: string
}

/**
 * `sallyport ssh-proxy`: the bytes of one SSH connection. The broker has put in the key, and has said the host keys, before the first of them.
 * @throws BrokerError when the broker refused it, or was lost
 */
export async function sshProxy(
  deps: ConnectDeps,
  host: string,
  port: number,
  { user, level }: SshProxyOptions,
): Promise<number> {
  if (port !== sshPort)
    throw new BrokerError('UNSUPPORTED', `only port ${sshPort} of instances is reached by SSH`, {
      hint: 'leave out -p, and Port in your ssh_config',
    })
  const target = chooseTarget(await listResources(await deps.openApi()), host, level, ['shell'])
  const files = sshFiles(deps.env)
  const key = await currentKey(files, deps.now())
  return await untilStopped(async (signal) => {
    const ask = {
      server: deps.server,
      bearer: await readBearer(deps),
      resourceId: target.id,
      level: target.level,
      tool: 'sallyport ssh-proxy',
      to: { key },
    }
    const opened = await openStream(ask, signal, warn)
    signal.addEventListener('abort', opened.leave)
    if (signal.aborted) opened.leave()
    const first = await Promise.race([opened.ready, opened.ended])
    if ('how' in first) return toExitCode(first)
    if (user !== undefined && first.user !== user) {
      opened.leave()
      throw new BrokerError('INVALID_INPUT', `this access level signs in as ${first.user}, not as ${user}`, {
        hint: `use: ssh ${first.user}@${host}`,
      })
    }
    await keepHostKeys(files, host, first.hostKeys)
    return toExitCode(await carry(opened))
  })
}

/** Until one side has ended. */
async function carry({ stream, ended, leave }: BrokerStream): Promise<StreamEnd> {
  const { stdin, stdout } = process
  stdin.once('end', leave)
  stdout.once('error', leave) // ssh has gone
  stdin.pipe(stream, { end: false })
  stream.pipe(stdout, { end: false })
  const { promise, resolve } = Promise.withResolvers<void>()
  stream.once('end', resolve).once('close', resolve)
  await promise
  stdin.unpipe(stream)
  stdin.destroy()
  return await ended
}

function toExitCode(end: StreamEnd): number {
  if (end.how === 'failed') throw end.error
  if (end.how === 'closed') return exitCodes.done
  warn(`the session was cut: ${describeEnd(end.reason)}`)
  return endsGrant(end.reason) ? exitCodes.denied : exitCodes.failed
}
