interface List {
  verb: 'update' | 'insert'
  readonly depth: number
  state: 'before' | 'columns' | 'target' | 'values'
  /** Which of its columns are passwords, from 0; of the assignment that is read now, or of the whole INSERT. */
  columns: Set<number>
  position: number
  /** Where a row's values begin, and how deep its commas are; −1: not yet. */
  base: number
  rowDepth: number
  /** Where a subquery stands within a value, and where something that does not tell the value. */
  subquery: number
  aside: number
}

/** What a dialect says of the words in lists. */
export interface AssignmentWords {
  /** A column of this name holds passwords. */
  isPassword(name: string): boolean
  /** What precedes a parenthesis is a function that may run what it is given. */
  mayRun(previous: string): boolean
}

/** PostgreSQL allows data-modifying statements in the outermost WITH only, so that two are the most that run. */
const mostLists = 8
/** More than a table has (MaxTupleAttributeNumber). */
const mostColumns = 1664

/**
 * The lists of one statement that give values to columns, wherever they stand: `SET` of UPDATE, ON CONFLICT and MERGE, the rows of
 * INSERT. A literal is a password if it is the value of a column of that name, or goes into one by functions that only change its
 * form; what other functions are given may be code, and what stands behind FROM or WHERE is no value.
 */
export class Assignments {
  #lists: List[] = []
  readonly #words: AssignmentWords

  constructor(words: AssignmentWords) {
    this.#words = words
  }

  clear(): void {
    if (this.#lists.length > 0) this.#lists = []
  }

  /** A literal here is a password, or a part of one. */
  isPassword(depth: number): boolean {
    const list = this.#lists.at(-1)
    if (list?.state !== 'values' || list.rowDepth < 0 || list.aside >= 0) return false
    return depth >= list.rowDepth && list.columns.has(list.position)
  }

  /** @param keyword '' when it is quoted @param name as it is when quoted too */
  word(keyword: string, name: string, depth: number): void {
    if (keyword === 'update' || keyword === 'insert') this.#begin(keyword, depth)
    const list = this.#lists.at(-1)
    if (!list) return
    if (list.state === 'before') {
      if (list.depth === depth && keyword === 'set') targets(list)
      else if (list.verb === 'insert' && (keyword === 'values' || keyword === 'select')) this.#lists.pop()
    } else if (list.state === 'columns') {
      if (this.#words.isPassword(name) && list.position < mostColumns) list.columns.add(list.position)
    } else if (list.depth === depth && (keyword === 'returning' || keyword === 'matched')) this.#lists.pop()
    else if (list.verb === 'insert') inRows(list, keyword, depth)
    else if (list.depth === depth && (keyword === 'from' || keyword === 'where')) this.#lists.pop()
    else inSubquery(list, keyword, depth)
  }

  /** Assignments follow without a verb of their own: `SET a = 1`, `ON DUPLICATE KEY UPDATE a = 1`. */
  targets(depth: number): void {
    this.#begin('update', depth)
    const list = this.#lists.at(-1)
    if (list) targets(list)
  }

  /** @param depth within the parenthesis @param previous the token before it */
  open(depth: number, previous: string): void {
    const list = this.#lists.at(-1)
    if (!list) return
    if (list.depth + 1 === depth && (list.state === 'target' || (list.state === 'before' && list.verb === 'insert'))) {
      list.state = 'columns'
      list.columns = new Set()
      list.position = 0
    } else if (list.state === 'values') openInValues(list, depth, previous, this.#words.mayRun)
  }

  /** @param depth without the parenthesis */
  close(depth: number): void {
    for (let list = this.#lists.at(-1); list && list.depth > depth; list = this.#lists.at(-1)) this.#lists.pop()
    const list = this.#lists.at(-1)
    if (!list) return
    if (list.state === 'columns' && list.depth === depth) this.#endColumns(list)
    if (depth < list.aside) list.aside = -1
    if (depth < list.subquery) list.subquery = -1
    if (depth < list.base && list.verb === 'insert') endRows(list)
  }

  comma(depth: number): void {
    const list = this.#lists.at(-1)
    if (!list) return
    if (list.state === 'columns') {
      if (depth === list.depth + 1) list.position += 1
    } else if (list.state !== 'values') return
    else if (list.verb === 'update' && depth === list.depth) {
      list.state = 'target'
      list.columns = new Set()
    } else if (list.verb === 'update' ? depth <= list.rowDepth : depth === list.rowDepth) {
      list.rowDepth = depth
      list.position += 1
    }
  }

  /** @param previous the token before the `=` */
  equals(depth: number, previous: string): void {
    const list = this.#lists.at(-1)
    if (list?.state !== 'target' || list.depth !== depth) return
    list.state = 'values'
    list.subquery = -1
    list.aside = -1
    list.position = 0
    const isRow = previous === ')'
    if (!isRow) list.columns = new Set(this.#words.isPassword(previous) ? [0] : [])
    list.rowDepth = isRow ? -1 : depth
  }

  #begin(verb: 'update' | 'insert', depth: number): void {
    this.#lists = this.#lists.filter((list) => list.depth < depth)
    if (this.#lists.length >= mostLists) this.#lists.shift()
    const columns = new Set<number>()
    const list: List = {
      ...{ verb, depth, state: 'before', columns, position: 0 },
      ...{ base: -1, rowDepth: -1, subquery: -1, aside: -1 },
    }
    this.#lists.push(list)
  }

  #endColumns(list: List): void {
    if (list.verb === 'update') list.state = 'target'
    else if (list.columns.size === 0) this.#lists.pop()
    else list.state = 'values'
  }
}

/** `INSERT … SET` too. */
function targets(list: List): void {
  list.verb = 'update'
  list.state = 'target'
}

function openInValues(list: List, depth: number, previous: string, mayRun: AssignmentWords['mayRun']): void {
  if (list.rowDepth < 0) {
    if (list.verb === 'update') list.rowDepth = depth
  } else if (depth === list.rowDepth && list.verb === 'insert') list.position = 0
  else if (list.verb === 'update' && previous === '(' && depth === list.rowDepth + 1 && list.position === 0)
    if (list.rowDepth > list.depth) list.rowDepth = depth
  if (depth > list.rowDepth && list.aside < 0 && mayRun(previous)) list.aside = depth
}

/** `VALUES (…), (…)` and `SELECT …`, the first one at each depth. */
function inRows(list: List, keyword: string, depth: number): void {
  if ((keyword === 'values' || keyword === 'select') && (list.base < 0 || depth <= list.base)) {
    list.base = depth
    list.rowDepth = keyword === 'values' ? depth + 1 : depth
    list.position = 0
    list.aside = -1
    list.subquery = -1
  } else if (depth === list.base && (keyword === 'from' || keyword === 'where' || keyword === 'on')) endRows(list)
  else if (list.base >= 0) inSubquery(list, keyword, depth)
}

function endRows(list: List): void {
  list.base = -1
  list.rowDepth = -1
}

function inSubquery(list: List, keyword: string, depth: number): void {
  if (keyword === 'select' && list.subquery < 0) list.subquery = depth
  else if ((keyword === 'from' || keyword === 'where') && depth === list.subquery && list.aside < 0) list.aside = depth
}
