import { type SpawnOptions, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'

interface RunOptions {
  /** Throw stdout away. */
  readonly discard?: boolean
  /** Gets each line of this stream as it arrives. */
  readonly progress?: 'stdout' | 'stderr'
  onProgress?(line: string): void
}

/** @returns stdout */
export async function run(
  file: string,
  args: readonly string[],
  options: SpawnOptions,
  { discard = false, progress = 'stderr', onProgress }: RunOptions = {},
): Promise<string> {
  const child = spawn(file, [...args], options)
  let stdout = ''
  let stderr = ''
  if (discard) child.stdout?.pipe(createWriteStream('/dev/null'))
  else child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const watched = child[progress]
  if (watched && onProgress) createInterface({ input: watched }).on('line', onProgress)
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}: ${stderr || stdout.slice(-2000)}`)
  return stdout
}
