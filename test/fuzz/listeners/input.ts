import fc from '../../fast-check.ts'

/** What a hostile side says, and from where on. */
export interface Input {
  readonly stage: string
  readonly bytes: Buffer
  /** Lengths of the pieces that it comes in, used in turn; the rest comes whole. */
  readonly cuts: readonly number[]
}

/** Inputs by name, for each stage. */
export type Corpus = Readonly<Record<string, ReadonlyMap<string, Buffer>>>

/** Lines of `stage name hex`; `#` begins a remark. @throws Error for a line that is none */
export function readCorpus(text: string): Corpus {
  const corpus: Record<string, Map<string, Buffer>> = {}
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [, stage, name, hex] = /^(\S+) (\S+) ((?:[0-9a-f]{2})*)$/.exec(line) ?? []
    if (stage === undefined || name === undefined || hex === undefined)
      throw new Error(`not a line of a corpus: ${line.slice(0, 80)}`)
    corpus[stage] ??= new Map()
    corpus[stage].set(name, Buffer.from(hex, 'hex'))
  }
  return corpus
}

/** As a line of the corpus, so that what was found can be kept, and a remark on the pieces that it came in. */
export function toLine({ stage, bytes, cuts }: Input, name = 'found'): string {
  const remark = cuts.length === 0 ? '' : `\n# in pieces of ${cuts.join(', ')}`
  return `${stage} ${name} ${bytes.toString('hex')}${remark}`
}

export function piecesOf({ bytes, cuts }: Input): Buffer[] {
  const pieces: Buffer[] = []
  let at = 0
  for (const length of cuts) {
    if (at >= bytes.length) break
    pieces.push(bytes.subarray(at, at + length))
    at += length
  }
  if (at < bytes.length) pieces.push(bytes.subarray(at))
  return pieces
}

type Edit = (bytes: Buffer) => Buffer

const longest = 65_536
const place = (bytes: Buffer, at: number) => (bytes.length === 0 ? 0 : at % bytes.length)
const at = fc.nat(4096)
const small = fc.integer({ min: 1, max: 40 })
const telling = fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xfb, 0xfc, 0xfd, 0xfe, 0xff)

function overwrite(bytes: Buffer, from: number, by: Uint8Array): Buffer {
  const edited = Buffer.from(bytes)
  edited.set(by.subarray(0, Math.max(0, edited.length - from)), from)
  return edited
}

const without = (bytes: Buffer, from: number, length: number) =>
  Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + length)])

function edits(others: readonly Buffer[]): fc.Arbitrary<Edit> {
  return fc.oneof(
    fc.tuple(at, fc.nat(7)).map(
      ([at, bit]): Edit =>
        (bytes) =>
          overwrite(bytes, place(bytes, at), Buffer.from([(bytes[place(bytes, at)] ?? 0) ^ (1 << bit)])),
    ),
    fc.tuple(at, telling).map(
      ([at, value]): Edit =>
        (bytes) =>
          overwrite(bytes, place(bytes, at), Buffer.from([value])),
    ),
    // lengths of either byte order, from nothing to as much as there can be
    fc.tuple(at, fc.constantFrom('00000000', 'ffffffff', 'ffffff7f', '7fffffff', '00000001', '01000000')).map(
      ([at, hex]): Edit =>
        (bytes) =>
          overwrite(bytes, place(bytes, at), Buffer.from(hex, 'hex')),
    ),
    fc.tuple(at, fc.uint8Array({ minLength: 1, maxLength: 40 })).map(
      ([at, more]): Edit =>
        (bytes) =>
          Buffer.concat([bytes.subarray(0, place(bytes, at)), more, bytes.subarray(place(bytes, at))]),
    ),
    fc.tuple(at, small).map(
      ([at, length]): Edit =>
        (bytes) =>
          without(bytes, place(bytes, at), length),
    ),
    fc.tuple(at, small, small).map(
      ([at, length, times]): Edit =>
        (bytes) => {
          const from = place(bytes, at)
          const part = bytes.subarray(from, from + length)
          const repeated = Array.from({ length: times }, () => part)
          return Buffer.concat([bytes.subarray(0, from), ...repeated, bytes.subarray(from)])
        },
    ),
    at.map(
      (at): Edit =>
        (bytes) =>
          bytes.subarray(0, place(bytes, at)),
    ),
    fc.tuple(at, fc.constantFrom(...others)).map(
      ([at, other]): Edit =>
        (bytes) =>
          Buffer.concat([bytes.subarray(0, place(bytes, at)), other]),
    ),
  )
}

/** What the corpus has, changed at a few places; sometimes bytes without any sense. */
export function inputs(corpus: Corpus): fc.Arbitrary<Input> {
  const cuts = fc.array(fc.integer({ min: 1, max: 64 }), { maxLength: 12 })
  const ofStage = Object.entries(corpus).map(([stage, seeds]) => {
    const all = [...seeds.values()]
    const changed = fc
      .tuple(fc.constantFrom(...all), fc.array(edits(all), { maxLength: 5 }))
      .map(([seed, edits]) => edits.reduce((bytes, edit) => edit(bytes).subarray(0, longest), seed))
    const senseless = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
    const bytes = fc.oneof({ weight: 9, arbitrary: changed }, { weight: 1, arbitrary: senseless })
    return fc
      .record({ bytes, cuts })
      .map(
        (said): Input => Object.assign({ stage, ...said }, { [fc.toStringMethod]: () => toLine({ stage, ...said }) }),
      )
  })
  return fc.oneof(...ofStage)
}
