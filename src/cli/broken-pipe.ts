import { writeSync } from 'node:fs'

const endNow = () => process.exit(0)
let end: () => void = endNow

/** The reader of the output has closed it, as in `… | head -1`: the command ends without a word. */
export function endAtBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') end()
      else failToWrite(stream === process.stdout ? 'standard output' : 'standard error', error)
    })
}

/** As on a full disk: what was written is not whole, so the exit code says so. */
function failToWrite(where: string, error: Error): never {
  try {
    writeSync(2, `sallyport: ${where} cannot be written: ${error.message}\n`)
  } catch {} // then the exit code alone says it
  process.exit(1)
}

/** For commands that have something to clean up, or that go on without a reader. Until it is disposed of. */
export function onBrokenPipe(handler: () => void): Disposable {
  end = handler
  return {
    [Symbol.dispose]: () => {
      end = endNow
    },
  }
}
