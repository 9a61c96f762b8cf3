import type { RunningPod } from '../pods.ts'
import type { CommandStreams } from './command-streams.ts'
import type { StreamRecord } from './record.ts'

const success = { metadata: {}, status: 'Success' }

/** `exec`: runs a program of the pod until it ends; then the client is told its exit code. */
export async function runCommand(pod: RunningPod, streams: CommandStreams, record: StreamRecord): Promise<void> {
  const program = pod.run(record.command, record.tty)
  countInput(streams, record)
  if (streams.stdin) streams.stdin.pipe(program.stdin)
  else if (!record.tty) program.stdin.end()
  if (streams.stdout) program.stdout.pipe(streams.stdout, { end: false })
  else program.stdout.resume()
  if (streams.stderr) program.stderr?.pipe(streams.stderr, { end: false })
  else program.stderr?.resume()
  streams.resize?.on('data', resizer(record, program.resize))
  void streams.closed.then(() => {
    // What was started goes on, but nobody hears it.
    program.stdin.end()
    program.stdout.destroy()
    program.stderr?.destroy()
    program.hangUp()
  })
  record.exitCode = await program.ended
  await streams.finish(statusOf(record))
}

/** `attach`: what the main program prints from now on, until it ends. */
export async function attachToMain(pod: RunningPod, streams: CommandStreams, record: StreamRecord): Promise<void> {
  countInput(streams, record)
  const ended = Promise.withResolvers<void>()
  const { main, stop } = pod.listen({
    output: (data, isError) => void (isError && !record.tty ? streams.stderr : streams.stdout)?.write(data),
    end: ended.resolve,
  })
  if (main) streams.stdin?.pipe(main.stdin, { end: false })
  streams.resize?.on('data', resizer(record, main?.resize ?? (() => {})))
  await Promise.race([ended.promise, streams.closed])
  stop()
  await streams.finish(success)
}

function countInput({ stdin }: CommandStreams, record: StreamRecord): void {
  stdin?.on('data', (data: Buffer) => {
    record.inputBytes += data.length
  })
  stdin?.once('end', () => {
    record.hasInputEnded = true
  })
}

function resizer(record: StreamRecord, resize: (cols: number, rows: number) => void): (data: Buffer) => void {
  let text = ''
  return (data) => {
    text += data.toString()
    for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
      const { Width, Height } = JSON.parse(text.slice(0, end + 1)) as { Width: number; Height: number }
      text = text.slice(end + 1)
      record.sizes.push(`${Width}x${Height}`)
      resize(Width, Height)
    }
  }
}

/** As kubelets write it. */
function statusOf({ exitCode, command }: StreamRecord): object {
  if (exitCode === 0) return success
  const failure = { metadata: {}, status: 'Failure' }
  if (exitCode === null) {
    const message =
      'error executing command in container: failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: unable to ' +
      `start container process: exec: "${command[0] ?? ''}": executable file not found in $PATH: unknown`
    return {
      ...failure,
      message: `Internal error occurred: ${message}`,
      reason: 'InternalError',
      details: { causes: [{ message }] },
      code: 500,
    }
  }
  return {
    ...failure,
    message: `command terminated with non-zero exit code: error executing command [${command.join(' ')}], exit code ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  }
}
