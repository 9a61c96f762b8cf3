import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

/** Lines of a text file. @throws Error when it can't be read */
export async function* fileLines(path: string): AsyncGenerator<string> {
  const input = createReadStream(path, 'utf8')
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  try {
    yield* lines
  } finally {
    lines.close()
    input.destroy()
  }
}
