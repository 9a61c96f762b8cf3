import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import type { ConfigProblem } from './config.ts'
import { formatPath, type Path } from './path.ts'

/** Counted from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** A value of the file, with where it was written. */
export interface Located {
  readonly value: unknown
  readonly at: Position
  /** Where its key is; absent for the root and for list items. */
  readonly keyAt?: Position
  /** A scalar as it was typed: `0123`, where `value` is 123. */
  readonly source?: string
  readonly children: ReadonlyMap<string | number, Located>
}

export type ReadYaml =
  | { readonly ok: true; readonly root: Located }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] }

const maxProblems = 20
const maxDepth = 64

/** Messages for the parser's codes. Its own messages can quote the file, which may hold a secret. */
const meanings: Readonly<Record<string, readonly [message: string, fix: string]>> = {
  BAD_INDENT: ['the indentation or a bracket is wrong', 'indent by two spaces per level and close every bracket'],
  TAB_AS_INDENT: ['a tab is used as indentation', 'indent with spaces'],
  DUPLICATE_KEY: ['this key appears twice', 'keep one of the two'],
  BLOCK_AS_IMPLICIT_KEY: ['the line has a second ": "', 'put the value in quotes, or on a separate line'],
  MISSING_CHAR: ['a closing bracket, quote or colon is missing', 'add it'],
  BAD_DQ_ESCAPE: ['this is not a valid escape in double quotes', 'use single quotes, or write \\\\'],
  BAD_SCALAR_START: ['a plain value cannot begin with this character', 'put it in quotes'],
  NON_STRING_KEY: ['a key must be text', 'write it as text'],
  MULTIPLE_DOCS: ['the file has several documents', 'keep one and remove "---"'],
  TAG_RESOLVE_FAILED: ['tags such as !foo are not supported', 'remove the tag'],
}
const tooDeep = ['the file is nested too deeply', `use at most ${maxDepth} levels`] as const
const aliasRefused = [
  'aliases (*name) are not allowed',
  'write the value out, so that it can be reviewed where it applies',
] as const
const notYaml = ['this is not valid YAML', 'check this line and the one before it'] as const

/** Reads one YAML 1.2 document without anchors, aliases or tags; says where every value is. No I/O. */
export function readYaml(text: string): ReadYaml {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true, logLevel: 'error' })
  const problems = syntaxProblems(document, lines)
  if (problems.length > 0) return { ok: false, problems }
  const refused: ConfigProblem[] = []
  const root = readNode(document.contents, { lines, refused }, [], { line: 1, column: 1 })
  return refused.length > 0 ? { ok: false, problems: refused } : { ok: true, root }
}

function syntaxProblems(document: Document, lines: LineCounter): ConfigProblem[] {
  const found = [...document.errors, ...document.warnings]
  const exhausted = found.find((error) => String(error.code) === 'RESOURCE_EXHAUSTION')
  return (exhausted ? [exhausted] : found.slice(0, maxProblems)).map((error) => {
    const [message, fix] = exhausted ? tooDeep : (meanings[error.code] ?? notYaml)
    return { path: '', ...positionAt(lines, error.pos[0]), message, fix }
  })
}

interface Reading {
  readonly lines: LineCounter
  readonly refused: ConfigProblem[]
}

function readNode(node: unknown, reading: Reading, path: Path, fallback: Position, keyAt?: Position): Located {
  const here = { at: startOf(node, reading.lines) ?? fallback, ...(keyAt ? { keyAt } : {}) }
  const none = { value: null, ...here, children: new Map() }
  if (path.length > maxDepth) return refuse(reading, path, none, tooDeep)
  if (isAlias(node)) return refuse(reading, path, none, aliasRefused)
  if (isScalar(node))
    return { ...none, value: node.value, ...(node.source === undefined ? {} : { source: node.source }) }
  if (isSeq(node)) {
    const items = node.items.map((item, i) => readNode(item, reading, [...path, i], here.at))
    return { ...here, value: items.map((item) => item.value), children: new Map(items.entries()) }
  }
  if (!isMap(node)) return none
  const children = new Map<string, Located>()
  for (const { key, value } of node.items) {
    const name = isScalar(key) ? String(key.value) : ''
    const at = startOf(key, reading.lines) ?? here.at
    children.set(name, readNode(value, reading, [...path, name], at, at))
  }
  return { ...here, value: Object.fromEntries([...children].map(([name, child]) => [name, child.value])), children }
}

function refuse(reading: Reading, path: Path, node: Located, [message, fix]: readonly [string, string]): Located {
  if (reading.refused.length < maxProblems) reading.refused.push({ path: formatPath(path), ...node.at, message, fix })
  return node
}

function startOf(node: unknown, lines: LineCounter): Position | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node) || !Array.isArray(node.range)) return undefined
  return positionAt(lines, Number(node.range[0]))
}

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(line, 1), column: Math.max(col, 1) }
}

/** The value at `path`, or its nearest parent in the file. */
export function locate(root: Located, path: Path): Located {
  let here = root
  for (const part of path) {
    const child = here.children.get(part) ?? here.children.get(String(part))
    if (!child) return here
    here = child
  }
  return here
}
