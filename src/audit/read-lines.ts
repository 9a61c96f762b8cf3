import { createReadStream } from 'node:fs'
import { splitLines } from '../telemetry/lines.ts'

/** Lines of a text file. @throws Error when it can't be read */
export function fileLines(path: string): AsyncGenerator<string> {
  return splitLines(createReadStream(path))
}
