const endNow = () => process.exit(0)
let end: () => void = endNow

/** The reader of the output has closed it, as in `… | head -1`: the command ends without a word. */
export function endAtBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      end()
    })
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
