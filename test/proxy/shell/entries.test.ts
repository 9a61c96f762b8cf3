/** What is on record of a terminal whose characters come in pieces. */
import t from 'tap'
import { EntryWriter } from '../../../proxy/recording/entry-writer.ts'
import { TerminalEntries } from '../../../proxy/shell/entries.ts'

/** @returns entries of output, in their order */
function recorded(chunks: readonly Buffer[]): { text: string; base64?: string }[] {
  const entries: { type: string; text: string; base64?: string }[] = []
  const write = (entry: string) => entries.push(JSON.parse(entry)) > 0
  const recorder = {
    reserve: () => {},
    release: () => {},
    write,
    onDrain: () => {},
    onFlush: () => {},
    whenWritten: () => {},
  }
  const writer = new TerminalEntries(new EntryWriter(recorder, () => {}), () => 0)
  for (const chunk of chunks) writer.output(chunk)
  return entries.filter(({ type }) => type === 'output')
}

t.test('T-1: wherever characters are cut, the same text and the same bytes are on record', async (t) => {
  const bytes = Buffer.concat([
    Buffer.from('a – 🎉 é'),
    Buffer.from([0xf0, 0x90, 0x80]),
    Buffer.from([0x80]),
    Buffer.from('!'),
  ])
  for (let at = 0; at <= bytes.length; at += 1) {
    const chunks = [bytes.subarray(0, at), bytes.subarray(at)]
    const entries = recorded(chunks)
    t.equal(entries.map(({ text }) => text).join(''), bytes.toString(), `cut at ${at}`)
    const raw = entries.map(({ text, base64 }) =>
      base64 === undefined ? Buffer.from(text) : Buffer.from(base64, 'base64'),
    )
    t.ok(bytes.equals(Buffer.concat(raw)), `cut at ${at}`)
  }
})
