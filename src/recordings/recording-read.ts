import { chunksOf, type RecordingBytes, RecordingScan } from './recording-scan.ts'

/** Entries of a recording, as they were written; does not check the chain. A line that is not JSON is returned as text. */
export async function* readEntries(from: RecordingBytes): AsyncGenerator<{ entry: unknown }> {
  const entries: { entry: unknown }[] = []
  const scan = new RecordingScan({ entry: (json) => entries.push({ entry: parse(json) }) })
  for await (const chunk of chunksOf(from)) {
    scan.push(chunk)
    yield* entries.splice(0)
  }
}

function parse(json: Buffer): unknown {
  const text = json.toString()
  try {
    return JSON.parse(text)
  } catch {
    return { unreadable: text }
  }
}
