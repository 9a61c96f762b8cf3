import { createReadStream } from 'node:fs'
import { splitLines } from '../telemetry/lines.ts'

/** Lines of a text file, which is opened when the first is asked for. @throws Error when it can't be read */
export async function* fileLines(path: string): AsyncGenerator<string> {
  yield* splitLines(createReadStream(path))
}
