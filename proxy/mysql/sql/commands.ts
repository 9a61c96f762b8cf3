import type { TokenSink } from '../../recording/sql/tokens.ts'
import { EveryReading, type OneReading } from './every-reading.ts'
import { Lexer } from './lexer.ts'
import type { MysqlMode, Reading, TextCounter } from './reading.ts'
import { StatementEnds } from './statement-ends.ts'
import { openings, routines } from './vocabulary.ts'

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

/** At once. */
const mostReaders = 96
/** Of a text that may be read in other ways than it was, the rest may hold a command where a statement may begin with such a word. */
const words = '(?<![a-z0-9_$])(?:kill|execute|prepare)(?![a-z0-9_$])'
const beginning = new RegExp(
  `(?:[;\\n]|\\*/|/\\*m?!\\d*|(?<![a-z0-9_$])(?:for|${[...openings].join('|')})) ?${words}`,
  'i',
)
/** The body of a routine may begin anywhere. */
const anywhere = new RegExp(words, 'i')
const [creation, routine] = [/create/i, new RegExp([...routines].join('|'), 'i')]
/** Blanks, and what is one in some character set. */
const blanks = /[\s\x80-\xff]+/g
/** Of what was looked at: the beginning and the word may come in two pieces. */
const keptChars = 64
const uncertain: Command = { kind: 'kill-other' }

/** Reads one text in every way that is left open, in pieces of any size. */
export class CommandFinder {
  readonly #every: EveryReading<CommandReader>
  /** The end of what came, with one blank for many. */
  #end = ''
  #hasBeginning = false
  #hasWord = false
  #hasCreation = false
  #hasRoutine = false

  constructor(mode: MysqlMode) {
    this.#every = new EveryReading(mode, mostReaders, (reading) => new CommandReader(reading))
  }

  feed(bytes: Buffer, start: number, end: number): void {
    this.#every.feed(bytes, start, end)
    const { isUncertain } = this.#every
    const text = this.#end + bytes.toString('latin1', isUncertain ? start : Math.max(start, end - keptChars), end)
    const narrow = text.replace(blanks, (run) => (run.includes('\n') ? '\n' : ' '))
    if (isUncertain) this.#look(narrow.slice(0, wholeWords(narrow)))
    this.#end = narrow.slice(-keptChars)
  }

  #look(text: string): void {
    this.#hasBeginning ||= beginning.test(text)
    this.#hasWord ||= anywhere.test(text)
    this.#hasCreation ||= creation.test(text)
    this.#hasRoutine ||= routine.test(text)
  }

  #mayHold(readers: readonly CommandReader[]): boolean {
    const isOfRoutine = (this.#hasCreation && this.#hasRoutine) || readers.some(({ hasRoutine }) => hasRoutine)
    return this.#hasBeginning || (this.#hasWord && isOfRoutine)
  }

  finish(): Commands {
    const { readers, isUncertain } = this.#every.finish()
    if (isUncertain) this.#look(this.#end)
    const found = readers.map((reader) => reader.finish())
    const all = new Map(found.flatMap((commands) => commands.all).map((command) => [JSON.stringify(command), command]))
    if (isUncertain && this.#mayHold(readers)) all.set('', uncertain)
    const [first] = found
    const isSure = all.size === 1 && found.every(({ only }) => JSON.stringify(only) === JSON.stringify(first?.only))
    return isSure && first?.only ? { only: first.only, all: [...all.values()] } : { all: [...all.values()] }
  }
}

/** The length of a text without its last word, which may go on. */
function wholeWords(text: string): number {
  let at = text.length
  while (at > 0 && text.length - at < keptChars / 2 && /[a-z0-9_$]/i.test(text.charAt(at - 1))) at -= 1
  return at
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

class CommandReader implements TokenSink, OneReading {
  readonly lexer: Lexer
  readonly reading: Reading
  readonly counter: TextCounter
  readonly ends = new StatementEnds()
  readonly #level: number
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
  /** It makes one, whose body may begin anywhere. */
  hasRoutine = false

  constructor(reading: Reading, level = 0, counter: TextCounter = { steps: 0 }) {
    this.reading = reading
    this.counter = counter
    this.#level = level
    this.lexer = new Lexer(this, counter, reading)
  }

  feed(bytes: Buffer, start: number, end: number, from: number): void {
    this.lexer.feed(bytes, start, end, from)
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
    if (this.#isStart) this.#begin(word, isQuoted ? undefined : this.lexer.nameOf())
    else this.#within(word, isMember)
    if (openings.has(word)) {
      this.#isStart = true
      this.#isMore = true
    }
    this.#previous = word
  }

  symbol(byte: number, _from: number, to: number): void {
    if (byte === semicolon) {
      this.ends.end(to)
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
    if (this.#runs && this.#level < deepest)
      this.#child ??= new CommandReader(this.reading, this.#level + 1, this.counter)
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
  #begin(word: string, name?: string): void {
    this.#isStart = false
    this.ends.begin(name)
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
    if (this.#first === 'create' && routines.has(word)) this.hasRoutine = true
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
