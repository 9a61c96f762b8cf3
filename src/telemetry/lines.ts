/** No line of ours comes near; a longer one is damage, or not ours. */
const longestLineBytes = 16 * 1024 * 1024

/**
 * Lines of UTF-8 that end at LF and nowhere else, as JSON lines do: `readline` also splits at CR, U+2028 and U+2029, which a
 * JSON text may hold as they are.
 * @throws Error for a line that is longer than any of ours
 */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let partial: Buffer[] = []
  let partialBytes = 0
  const take = (piece: Buffer): string => {
    const line = partial.length === 0 ? piece : Buffer.concat([...partial, piece])
    partial = []
    partialBytes = 0
    return line.toString('utf8')
  }
  for await (const bytes of chunks) {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let start = 0
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
      yield take(chunk.subarray(start, end))
      start = end + 1
    }
    if (start === chunk.length) continue
    partial.push(chunk.subarray(start))
    partialBytes += chunk.length - start
    if (partialBytes > longestLineBytes) throw new Error(`a line is longer than ${longestLineBytes} bytes`)
  }
  if (partialBytes > 0) yield take(Buffer.alloc(0))
}

const lineFeed = 10
