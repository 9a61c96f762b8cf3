import {
  afterCredential,
  openPlugins,
  passwordFunctions,
  passwordNames,
  replicationPasswords,
  routines,
  userVerbs,
} from './vocabulary.ts'

/** What a token turns out to be. */
export type Place = 'secret' | 'garbage' | undefined

/**
 * The clauses of one statement that give passwords to users, servers and replication: `IDENTIFIED BY '…'`, `SET PASSWORD = '…'`,
 * `OPTIONS (PASSWORD '…')`, `MASTER_PASSWORD = '…'`.
 */
export class Credentials {
  /** Of a text that need not be code: only what a statement begins with makes it one. */
  readonly #isDoubtful: boolean
  #verb = ''
  #object: '' | 'server' | 'table' | 'routine' = ''
  #plugin: '' | 'name' | 'given' | 'open' = ''
  #setsPassword = false
  /** The word before was the name of a password. */
  #isNamed = false
  /** `credential`: the server takes nothing but a literal; `value`: it may take more. */
  #awaits: '' | 'credential' | 'value' = ''
  #mustEnd = false

  constructor(isDoubtful: boolean) {
    this.#isDoubtful = isDoubtful
  }

  /** The next literal is a secret. */
  get isAwaited(): boolean {
    return this.#awaits !== '' || this.#mustEnd
  }

  /** Its options may hold connection strings. */
  get isTable(): boolean {
    return this.#object === 'table'
  }

  /** `SET` in it assigns, though no statement begins there. */
  get hasLooseSet(): boolean {
    return this.#object === 'routine' || this.#verb === 'load'
  }

  /** A statement begins. @param verb its first word */
  begin(verb = ''): void {
    this.#verb = verb
    this.#object = ''
    this.#plugin = ''
    this.#setsPassword = false
    this.#isNamed = false
    this.#awaits = ''
    this.#mustEnd = false
  }

  /** @param keyword '' when it is quoted @param previous the token before it */
  word(keyword: string, isQuoted: boolean, isStart: boolean, previous: string): Place {
    const [awaited, mustEnd] = [this.#awaits, this.#mustEnd]
    this.#mustEnd = false
    this.#isNamed = false
    if (awaited === 'credential' && passwordFunctions.has(keyword)) return undefined
    this.#awaits = ''
    if (awaited === 'credential') return isQuoted ? 'secret' : keyword === 'random' ? undefined : 'garbage'
    if (mustEnd && !afterCredential.has(keyword)) return 'garbage'
    if (isStart) this.begin(keyword)
    else this.#within(keyword, previous)
    return undefined
  }

  /** @param depth of parentheses around it */
  symbol(symbol: string, previous: string, depth: number): Place {
    const [awaited, mustEnd, isNamed] = [this.#awaits, this.#mustEnd, this.#isNamed]
    this.#mustEnd = false
    this.#isNamed = false
    if (awaited === 'credential' && symbol === '(' && passwordFunctions.has(previous)) return undefined
    this.#awaits = ''
    if (awaited === 'credential' && symbol !== ';' && symbol !== '@') return 'garbage'
    if (mustEnd && symbol !== ',' && symbol !== ';' && symbol !== ')') return 'garbage'
    if (symbol === '=' && isNamed) this.#awaits = 'value'
    else if (symbol === '=' && this.#setsPassword && depth === 0) this.#awaits = 'credential'
    if (symbol === '=' || (symbol === ',' && depth === 0)) this.#setsPassword = false
    return undefined
  }

  parameter(): void {
    this.#awaits = ''
    this.#mustEnd = false
    this.#isNamed = false
  }

  /** After a literal. */
  literal(): void {
    this.#mustEnd = this.#awaits === 'credential' || this.#mustEnd
    this.#awaits = ''
    this.#isNamed = false
    if (this.#plugin === 'name') this.#plugin = 'given'
  }

  #within(keyword: string, previous: string): void {
    const setsUsers = userVerbs.has(this.#verb)
    if (this.#verb === 'create' || this.#verb === 'alter') this.#define(keyword)
    if (keyword === 'by' && previous === 'identified') {
      if (setsUsers || !this.#isDoubtful) this.#awaits = 'credential'
    } else if (setsUsers && this.#plugin === 'name') this.#plugin = openPlugins.has(keyword) ? 'open' : 'given'
    else if (setsUsers && previous === 'identified')
      this.#plugin = keyword === 'with' || keyword === 'via' ? 'name' : ''
    else if (setsUsers && this.#plugin !== '') this.#withPlugin(keyword)
    if (keyword === 'replace' && (previous === 'literal' || previous === ')') && (setsUsers || this.#verb === 'set'))
      this.#awaits = 'value'
    if (passwordNames.has(keyword)) this.#passwordName(keyword, previous)
    if (replicationPasswords.has(keyword)) this.#isNamed = true
    if (keyword === 'to') this.#setsPassword = false
  }

  #define(keyword: string): void {
    if (keyword === 'set' && this.#object === 'routine') this.begin('set')
    if (this.#object !== '') return
    if (keyword === 'server' || keyword === 'table') this.#object = keyword
    else if (routines.has(keyword)) this.#object = 'routine'
  }

  #withPlugin(keyword: string): void {
    if (keyword === 'or') this.#plugin = 'name'
    else if (this.#plugin === 'given' && (keyword === 'by' || keyword === 'as' || keyword === 'using'))
      this.#awaits = 'credential'
  }

  #passwordName(keyword: string, previous: string): void {
    if (this.#object === 'server') this.#awaits = 'value'
    if (this.#verb === 'change' || this.#verb === 'start') this.#isNamed = true
    const isListed = previous === 'set' || previous === ','
    if (this.#verb === 'set' && keyword === 'password' && isListed) this.#setsPassword = true
  }
}
