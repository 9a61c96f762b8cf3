import type { TokenSink } from '../../recording/sql/tokens.ts'
import { Lexer } from './lexer.ts'
import { type MysqlMode, type Reading, readingsOf } from './reading.ts'
import { openings } from './vocabulary.ts'

/** A statement that the broker answers, checks or refuses by itself. */
export type Command =
  | { readonly kind: 'kill'; readonly what: 'connection' | 'query'; readonly id: number }
  /** `KILL QUERY ID 5` of MariaDB: the id of a query, not of a thread. */
  | { readonly kind: 'kill-query-id'; readonly id: number }
  /** By user, by an expression, or from within other code. */
  | { readonly kind: 'kill-other' }
  /** `LOAD DATA LOCAL INFILE`, and `LOAD XML`; `file` in Latin-1, byte for byte; undefined: too long. */
  | { readonly kind: 'load-local'; readonly file: string | undefined }
  /** What steers replication or shows the binary log. */
  | { readonly kind: 'replication' }

export interface Commands {
  /** The one command that the text is, with nothing but comments and semicolons around it. */
  readonly only?: Command
  /** In order, without repetitions; of a text that can be read in several ways, those of each way. */
  readonly all: readonly Command[]
}

/** Matches every text that may hold a command; one search over each statement. */
export const mayHoldCommand = /kill|infile|binlog|relaylog|slave|repli|purge|prepare|immediate|\bchange\b|\breset\b/i

/** At once. A text for which they do not suffice may hold any command. */
const mostReaders = 64
/** Bounds what is noted of a piece. */
const sliceBytes = 4096
const uncertain: Command = { kind: 'kill-other' }

/**
 * Reads one text from its first byte to its last, in pieces of any size, in each way that its server may read it. Behind a statement
 * that may change how texts are read, such as `SET sql_mode`, that is every way. Its cost is linear, and it keeps none of the text.
 */
export class CommandFinder {
  readonly #readers: CommandReader[]
  readonly #everyWay: readonly Reading[]
  #length = 0
  #isUncertain = false

  constructor(mode: MysqlMode) {
    this.#readers = readingsOf(mode).map((reading) => new CommandReader(reading, 0))
    this.#everyWay = readingsOf({ backslashes: 'unknown', version: mode.version })
  }

  feed(bytes: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += sliceBytes) this.#feed(bytes, at, Math.min(end, at + sliceBytes))
  }

  #feed(bytes: Buffer, start: number, end: number): void {
    const from = this.#length
    this.#length += end - start
    for (const reader of this.#readers) reader.feed(bytes, start, end, from)
    for (let at = this.#changeFrom(from); at < Number.POSITIVE_INFINITY; at = this.#changeFrom(at + 1))
      this.#widen(bytes, start + at - from, end, at)
  }

  finish(): Commands {
    const found = this.#readers.map((reader) => reader.finish())
    const all = new Map(found.flatMap((commands) => commands.all).map((command) => [JSON.stringify(command), command]))
    if (this.#isUncertain) all.set('', uncertain)
    const [first] = found
    const isSure = all.size === 1 && found.every(({ only }) => JSON.stringify(only) === JSON.stringify(first?.only))
    return isSure && first?.only ? { only: first.only, all: [...all.values()] } : { all: [...all.values()] }
  }

  /** The first place in what was fed last, not before `least`, behind a statement that may change how texts are read. */
  #changeFrom(least: number): number {
    let first = Number.POSITIVE_INFINITY
    for (const reader of this.#readers) first = Math.min(first, reader.changeFrom(least))
    return first
  }

  /** From there on the text is also read in the ways in which no reader is between two statements there. */
  #widen(bytes: Buffer, start: number, end: number, from: number): void {
    for (const reading of this.#everyWay) {
      if (this.#readers.some((one) => one.reading.key === reading.key && one.ends.has(from))) continue
      if (this.#readers.length >= mostReaders) {
        this.#isUncertain = true
        return
      }
      const reader = new CommandReader(reading, 0)
      reader.feed(bytes, start, end, from)
      this.#readers.push(reader)
    }
  }
}

/** @param text of one COM_QUERY or COM_STMT_PREPARE */
export function readCommands(text: Buffer, mode: MysqlMode): Commands {
  const finder = new CommandFinder(mode)
  finder.feed(text, 0, text.length)
  return finder.finish()
}

const longestFile = 4096
const mostCommands = 16
const mostKillWords = 8
/** PREPARE within PREPARE. */
const deepest = 2
const [semicolon, dot, at] = [59, 46, 64] as const
const replication: Readonly<Record<string, ReadonlySet<string>>> = {
  change: new Set(['master', 'replication']),
  start: new Set(['slave', 'replica', 'all', 'group_replication']),
  stop: new Set(['slave', 'replica', 'all', 'group_replication']),
  reset: new Set(['master', 'slave', 'replica', 'binary']),
  purge: new Set(['binary', 'master']),
  show: new Set(['binlog', 'relaylog']),
}

/** Statements that leave it as it is how texts are read. */
const steady = new Set(
  'select insert update delete replace values table with show use explain describe desc begin end start commit rollback savepoint release truncate lock unlock analyze optimize check create drop alter grant revoke load kill'.split(
    ' ',
  ),
)

class CommandReader implements TokenSink {
  readonly lexer: Lexer
  readonly reading: Reading
  /** Where statements of what was fed last end. */
  readonly ends = new Set<number>()
  /** Those behind which the text may be read in another way, in order. */
  #changes: number[] = []
  #next = 0
  readonly #level: number
  #isSteady = true
  readonly #all: Command[] = []
  #child: CommandReader | undefined
  #statements = 0
  /** It has statements within it, or tokens that no command has. */
  #isMore = false
  #isStart = true
  #first = ''
  #previous = ''
  #hasSymbol = false
  /** Words of a KILL so far, its number last. */
  #kill: string[] | undefined
  #load: '' | 'load' | 'local' | 'infile' | 'file' = ''
  #file: number[] = []
  /** Literals here are code. */
  #runs = false

  constructor(reading: Reading, level: number) {
    this.reading = reading
    this.#level = level
    this.lexer = new Lexer(this, { steps: 0 }, reading)
  }

  /** @param from offset of `bytes[start]` */
  feed(bytes: Buffer, start: number, end: number, from: number): void {
    if (this.ends.size > 0) this.ends.clear()
    if (this.#changes.length > 0) this.#changes = []
    this.#next = 0
    this.lexer.feed(bytes, start, end, from)
  }

  /** @param least not below that of the call before */
  changeFrom(least: number): number {
    while ((this.#changes[this.#next] ?? least) < least) this.#next += 1
    return this.#changes[this.#next] ?? Number.POSITIVE_INFINITY
  }

  finish(): Commands {
    this.lexer.finish()
    this.#endStatement()
    const [only] = this.#all
    const isAlone = this.#statements === 1 && this.#all.length === 1 && !this.#isMore
    return only && isAlone ? { only, all: this.#all } : { all: this.#all }
  }

  word(keyword: string, _from: number, _to: number, isQuoted: boolean): void {
    const word = isQuoted ? '`' : keyword
    const isMember = this.#hasSymbol
    this.#hasSymbol = false
    if (this.#isStart) this.#begin(word, isQuoted ? '' : this.lexer.nameOf())
    else this.#within(word, isMember)
    if (openings.has(word)) {
      this.#isStart = true
      this.#isMore = true
    }
    this.#previous = word
  }

  symbol(byte: number, _from: number, to: number): void {
    if (byte === semicolon) {
      this.ends.add(to)
      if (!this.#isSteady) this.#changes.push(to)
      this.#endStatement()
      return
    }
    this.#token()
    this.#hasSymbol = byte === dot || byte === at
    this.#killed('?')
    this.#previous = ''
  }

  parameter(): void {
    this.#token()
    this.#killed('?')
  }

  literalStart(): void {
    this.#token()
    this.#killed('?')
    this.#hasSymbol = false
    this.#load = this.#load === 'infile' ? 'file' : this.#load
    if (this.#runs && this.#level < deepest) this.#child ??= new CommandReader(this.reading, this.#level + 1)
  }

  content(bytes: Buffer, start: number, end: number, from: number): void {
    if (this.#load === 'file')
      for (let i = start; i < end && this.#file.length <= longestFile; i += 1) this.#file.push(bytes[i] as number)
    if (this.#runs) this.#child?.lexer.feed(bytes, start, end, from)
  }

  escaped(byte: number, from: number, to: number): void {
    if (this.#load === 'file' && this.#file.length <= longestFile) this.#file.push(byte)
    if (this.#runs) this.#child?.lexer.feedEscaped(byte, from, to)
  }

  literalEnd(): void {
    if (this.#load !== 'file') return
    const isLong = this.#file.length > longestFile
    this.#add({ kind: 'load-local', file: isLong ? undefined : Buffer.from(this.#file).toString('latin1') })
    this.#load = ''
    this.#file = []
  }

  #token(): void {
    if (this.#isStart) this.#begin('')
  }

  /** @param name as it is written, in lower case */
  #begin(word: string, name = ''): void {
    this.#isStart = false
    if (!steady.has(name)) this.#isSteady = false
    this.#statements += 1
    this.#first = word
    this.#load = word === 'load' ? 'load' : ''
    this.#runs = false
    if (word === 'kill') this.#kill = []
    else if (word === 'binlog') this.#add({ kind: 'replication' })
  }

  /** @param isMember the word stands behind a dot or an @, and is a name then */
  #within(word: string, isMember: boolean): void {
    const isSecond = this.#previous === this.#first
    if (this.#kill) this.#killed(word === '`' ? word : (this.lexer.nameOf() ?? '?'))
    else if (word === 'kill' && !isMember) this.#add({ kind: 'kill-other' }) // KILL is reserved: no name is written so
    if (this.#load === 'load' && word === 'local') this.#load = 'local'
    else if (this.#load === 'local' && word === 'infile') this.#load = 'infile'
    if (isSecond && replication[this.#first]?.has(word)) this.#add({ kind: 'replication' })
    if (this.#first === 'execute' && isSecond && word === 'immediate') this.#runs = true
    if (this.#first === 'prepare' && word === 'from') this.#runs = true
  }

  #endStatement(): void {
    if (this.#kill) this.#add(toKill(this.#kill))
    for (const command of this.#child?.finish().all ?? []) this.#add(asCode(command))
    this.#child = undefined
    this.#kill = undefined
    this.#isStart = true
    this.#isSteady = true
    this.#first = ''
    this.#previous = ''
    this.#hasSymbol = false
    this.#load = ''
    this.#runs = false
  }

  #killed(word: string): void {
    if (this.#kill && this.#kill.length < mostKillWords) this.#kill.push(word)
  }

  #add(command: Command): void {
    if (this.#all.length < mostCommands) this.#all.push(command)
  }
}

/** What a command is that a literal holds. */
function asCode(command: Command): Command {
  if (command.kind === 'load-local') return { ...command, file: undefined }
  return command.kind === 'replication' ? command : { kind: 'kill-other' }
}

/** @param words behind KILL */
function toKill(words: readonly string[]): Command {
  const [, what = '', isQueryId = '', number = ''] =
    /^(?:(?:hard|soft) )?(?:(connection|query) (id )?)?(\d{1,20})$/.exec(words.join(' ')) ?? []
  const id = Number(number)
  if (number === '' || !Number.isSafeInteger(id)) return { kind: 'kill-other' }
  if (isQueryId !== '') return what === 'query' ? { kind: 'kill-query-id', id } : { kind: 'kill-other' }
  return { kind: 'kill', what: what === 'query' ? 'query' : 'connection', id }
}
