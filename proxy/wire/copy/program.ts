/**
 * What the broker and the program at an instance say to each other while files are copied (src/kinds/ec2-instance/copy-document.ts has the
 * program). Lines of text, with numbers in decimal, modes in octal and names as `encodeName` has them.
 *
 * To the program: `look NAME`, `folder MODE NAME`, `file MODE SIZE NAME` and that many bytes; or `tree r|n NAME`.
 * From it: `sallyport ready` or `sallyport refused WHY`; `is KIND`, `ok` or `no WHY` for each line in turn; for a tree `folder MODE NAME`,
 * `file MODE SIZE NAME` with lines of base64 and a dot behind it, `skip WHY NAME`, `no WHY`, and `end`.
 */
import { WireError } from '../wire-error.ts'
import { decodeName, encodeName } from './names.ts'

/** A name of 4,096 bytes is 5,464 characters of base64. */
const longestLine = 6000
const linefeed = 0x0a
const dot = 0x2e

export const kinds = ['folder', 'file', 'special', 'missing'] as const
export type FileKind = (typeof kinds)[number]

/** Why something was not copied. */
export const obstacles = ['denied', 'folder', 'file', 'missing', 'special', 'link', 'failed'] as const
export type Obstacle = (typeof obstacles)[number]

export type ProgramEvent =
  | { readonly type: 'ready' }
  | { readonly type: 'refused'; readonly why: string }
  | { readonly type: 'is'; readonly kind: FileKind }
  | { readonly type: 'ok' }
  | { readonly type: 'no'; readonly why: Obstacle }
  /** `name` of these is below what is copied, and undefined where it is no UTF-8. */
  | { readonly type: 'folder'; readonly mode: number; readonly name: string | undefined }
  | { readonly type: 'file'; readonly mode: number; readonly size: number; readonly name: string | undefined }
  | { readonly type: 'skip'; readonly why: Obstacle; readonly name: string | undefined }
  | { readonly type: 'bytes'; readonly bytes: Buffer }
  | { readonly type: 'file-end' }
  | { readonly type: 'end' }

export const program = {
  look: (path: string): string => `look ${encodeName(path)}\n`,
  folder: (mode: number, path: string): string => `folder ${mode.toString(8)} ${encodeName(path)}\n`,
  file: (mode: number, size: number, path: string): string => `file ${mode.toString(8)} ${size} ${encodeName(path)}\n`,
  tree: (path: string, isRecursive: boolean): string => `tree ${isRecursive ? 'r' : 'n'} ${encodeName(path)}\n`,
} as const

/** Reads what the program says, in pieces of any size. */
export class ProgramReader {
  #line: Buffer[] = []
  #lineBytes = 0
  /** Of a file that is under way: base64 that makes no whole bytes yet. */
  #rest = ''
  #isInFile = false
  #isPadded = false;

  /** @throws WireError it is not what the program says */
  *push(chunk: Buffer): Generator<ProgramEvent> {
    let at = 0
    while (at < chunk.length) {
      const stop = chunk.indexOf(this.#isInFile ? dot : linefeed, at)
      const piece = chunk.subarray(at, stop < 0 ? chunk.length : stop)
      at += piece.length + 1
      if (this.#isInFile) {
        const bytes = this.#decode(piece)
        if (bytes.length > 0) yield { type: 'bytes', bytes }
        if (stop < 0) continue
        this.#endFile()
        yield { type: 'file-end' }
      } else if (stop < 0) this.#keep(piece)
      else {
        const event = this.#read(this.#whole(piece))
        if (event) yield event
      }
    }
  }

  #keep(piece: Buffer): void {
    this.#lineBytes += piece.length
    if (this.#lineBytes > longestLine) throw new WireError('a line is too long')
    this.#line.push(Buffer.from(piece))
  }

  #whole(piece: Buffer): string {
    this.#keep(piece)
    const line = Buffer.concat(this.#line).toString('latin1')
    this.#line = []
    this.#lineBytes = 0
    return line.replace(/\r$/, '')
  }

  #decode(piece: Buffer): Buffer {
    const base64 = this.#rest + piece.toString('latin1').replaceAll(/[\r\n]/g, '')
    const whole = base64.slice(0, base64.length - (base64.length % 4))
    this.#rest = base64.slice(whole.length)
    if (whole === '') return Buffer.alloc(0)
    const digits = whole.endsWith('==') ? -2 : whole.endsWith('=') ? -1 : whole.length
    if (this.#isPadded || !/^[A-Za-z0-9+/]*$/.test(whole.slice(0, digits))) throw new WireError('no base64')
    this.#isPadded = digits < 0
    return Buffer.from(whole, 'base64')
  }

  #endFile(): void {
    if (this.#rest !== '') throw new WireError('no whole base64')
    this.#isInFile = false
  }

  /** @returns undefined for an empty line, which follows each file */
  #read(line: string): ProgramEvent | undefined {
    const [verb = '', ...words] = line.split(' ')
    switch (verb) {
      case '':
        if (words.length === 0) return undefined
        break
      case 'sallyport':
        if (line === 'sallyport ready') return { type: 'ready' }
        if (words[0] === 'refused') return { type: 'refused', why: words.slice(1).join(' ') }
        break
      case 'is':
        return { type: 'is', kind: oneOf(kinds, words[0]) }
      case 'ok':
        return { type: 'ok' }
      case 'no':
        return { type: 'no', why: oneOf(obstacles, words[0]) }
      case 'folder':
        return { type: 'folder', mode: toMode(words[0]), name: decodeName(words[1] ?? '') }
      case 'file': {
        const event = { type: verb, mode: toMode(words[0]), size: toSize(words[1]), name: decodeName(words[2] ?? '') }
        this.#isInFile = true
        this.#isPadded = false
        return event as ProgramEvent
      }
      case 'skip':
        return { type: 'skip', why: oneOf(obstacles, words[0]), name: decodeName(words[1] ?? '') }
      case 'end':
        return { type: 'end' }
    }
    throw new WireError('a line that the program does not say')
  }
}

function oneOf<T extends string>(known: readonly T[], word: string | undefined): T {
  const found = known.find((one) => one === word)
  if (found === undefined) throw new WireError('a word that the program does not say')
  return found
}

/** Permissions alone. */
function toMode(word = ''): number {
  if (!/^[0-7]{1,5}$/.test(word)) throw new WireError('no mode of a file')
  return Number.parseInt(word, 8) & 0o777
}

function toSize(word = ''): number {
  const size = Number(word)
  if (!/^[0-9]{1,16}$/.test(word) || !Number.isSafeInteger(size)) throw new WireError('no size of a file')
  return size
}
