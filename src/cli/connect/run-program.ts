import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { onBrokenPipe } from '../broken-pipe.ts'

/**
 * Runs a program on this terminal. Ctrl-C reaches it from there; we must only not die of it before it does.
 * @param hint what to do when it is not there
 * @returns its exit code, or 128 and the number of the signal that ended it
 * @throws Error when it can't be started
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  hint: string,
): Promise<number> {
  const child = spawn(program, args, { stdio: 'inherit', env, shell: false })
  const passOn = (signal: NodeJS.Signals) => child.kill(signal)
  const ignore = () => {}
  using _goOn = onBrokenPipe(ignore)
  process.on('SIGINT', ignore)
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, passOn)
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) =>
        reject(error.code === 'ENOENT' ? notFound(program, hint, error) : error),
      )
      child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)))
    })
  } finally {
    process.off('SIGINT', ignore)
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.off(signal, passOn)
  }
}

function notFound(program: string, hint: string, cause: Error): Error {
  return Object.assign(new Error(`${program} is not on the PATH`, { cause }), { hint })
}
